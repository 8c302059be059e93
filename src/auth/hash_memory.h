#pragma once
/// Memory that all hashes under way have together. Each stored hash says what it takes (Argon2,
/// scrypt and yescrypt: up to hash_memory_kib_max), so their number does not bound the sum.

#include <condition_variable>
#include <cstdint>
#include <list>
#include <mutex>
#include <utility>

#include "auth/password_fault.h"
#include "base/clock.h"

namespace restante {

/// One for all helper threads, which may wait here; reactors never do.
class HashMemory {
public:
    /// `kib_max` >= hash_memory_kib_max: any one hash fits. Who waits for `wait_max` gets none.
    HashMemory(std::uint64_t kib_max, Duration wait_max);
    HashMemory(const HashMemory&) = delete;
    HashMemory& operator=(const HashMemory&) = delete;

    /// A part of it, given back at its end. Move-only.
    class Share {
    public:
        Share(Share&& other) noexcept
            : memory_(std::exchange(other.memory_, nullptr)), kib_(other.kib_) {}
        Share& operator=(Share&&) = delete;
        ~Share() {
            if (memory_ != nullptr) memory_->give_back(kib_);
        }
        /// False: it was waited for in vain.
        bool is_had() const { return memory_ != nullptr; }

    private:
        friend class HashMemory;
        Share(HashMemory* memory, std::uint64_t kib) : memory_(memory), kib_(kib) {}
        HashMemory* memory_;
        std::uint64_t kib_;
    };
    /// Waits; who came first has it first. `kib` <= hash_memory_kib_max.
    Share take(std::uint64_t kib);

private:
    void give_back(std::uint64_t kib);

    std::mutex mutex_;
    std::condition_variable changed_;
    std::list<std::uint64_t> waiting_;  // for so many KiB each, in order of arrival
    std::uint64_t free_kib_;
    const Duration wait_max_;
};

}  // namespace restante
