#include "auth/hash_memory.h"

#include "base/assert.h"

namespace restante {

HashMemory::HashMemory(std::uint64_t kib_max, Duration wait_max)
    : free_kib_(kib_max), wait_max_(wait_max) {
    ASSERT(kib_max >= hash_memory_kib_max);
}

HashMemory::Share HashMemory::take(std::uint64_t kib) {
    ASSERT(kib <= hash_memory_kib_max);
    std::unique_lock lock(mutex_);
    const auto own = waiting_.insert(waiting_.end(), kib);
    const bool is_had = changed_.wait_for(
        lock, wait_max_, [&] { return own == waiting_.begin() && free_kib_ >= kib; });
    waiting_.erase(own);
    if (is_had) free_kib_ -= kib;
    changed_.notify_all();  // another one is the first now
    return Share(is_had ? this : nullptr, kib);
}

void HashMemory::give_back(std::uint64_t kib) {
    const std::lock_guard lock(mutex_);
    free_kib_ += kib;
    changed_.notify_all();
}

}  // namespace restante
