#include "base/buffer_pool.h"

#include <sanitizer/asan_interface.h>

namespace restante {

Buffer::~Buffer() {
    if (octets_ == nullptr) return;
    --pool_->lent_;
    if (pool_->kept_.size() >= BufferPool::kept_max) return;
    ASAN_POISON_MEMORY_REGION(octets_.get(), BufferPool::allocated_octets);
    pool_->kept_.push_back(std::move(octets_));
}

std::span<char> Buffer::octets() const {
    if (octets_ == nullptr) return {};
    return {octets_.get() + BufferPool::page_offset, BufferPool::buffer_octets};
}

Buffer BufferPool::acquire() {
    ++lent_;
    if (kept_.empty())
        return Buffer(this, std::make_unique_for_overwrite<char[]>(allocated_octets));
    std::unique_ptr<char[]> octets = std::move(kept_.back());
    kept_.pop_back();
    ASAN_UNPOISON_MEMORY_REGION(octets.get(), allocated_octets);
    return Buffer(this, std::move(octets));
}

}  // namespace restante
