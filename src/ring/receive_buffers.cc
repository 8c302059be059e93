#include "ring/receive_buffers.h"

#include <linux/io_uring.h>

#include <bit>
#include <cstdlib>
#include <cstring>

#include "base/assert.h"

namespace restante {
namespace {

constexpr std::size_t page_octets = 4096;

/// In whole pages.
std::size_t entries_octets(unsigned count) {
    const std::size_t octets = count * sizeof(io_uring_buf);
    return (octets + page_octets - 1) / page_octets * page_octets;
}

}  // namespace

void ReceiveBuffers::Free::operator()(std::byte* memory) const { std::free(memory); }

ReceiveBuffers::ReceiveBuffers(unsigned count) : count_(count) {
    ASSERT(std::has_single_bit(count));
    const std::size_t before = entries_octets(count);
    const std::size_t octets = before + count * buffer_octets;
    const std::size_t pages = (octets + page_octets - 1) / page_octets;
    memory_.reset(static_cast<std::byte*>(std::aligned_alloc(page_octets, pages * page_octets)));
    ASSERT(memory_ != nullptr);
    std::memset(memory_.get(), 0, before);
    entries_ = reinterpret_cast<io_uring_buf_ring*>(memory_.get());
    buffers_ = reinterpret_cast<char*>(memory_.get()) + before;
}

void ReceiveBuffers::lend_all() {
    for (unsigned id = 0; id < count_; ++id) lend(id);
}

std::span<const char> ReceiveBuffers::octets(unsigned id, std::size_t octets) const {
    ASSERT(id < count_);
    ASSERT(octets <= buffer_octets);
    return {buffers_ + id * buffer_octets, octets};
}

void ReceiveBuffers::give_back(unsigned id, std::size_t octets) {
    explicit_bzero(buffers_ + id * buffer_octets, octets);
    lend(id);
}

// The tail lies in the first entry, where its fourth field would be: only the others are written.
void ReceiveBuffers::lend(unsigned id) {
    ASSERT(id < count_);
    auto* entries = reinterpret_cast<io_uring_buf*>(entries_);
    io_uring_buf& entry = entries[tail_ % count_];
    entry.addr = reinterpret_cast<std::uint64_t>(buffers_ + id * buffer_octets);
    entry.len = buffer_octets;
    entry.bid = static_cast<std::uint16_t>(id);
    ++tail_;
    __atomic_store_n(&entries_->tail, tail_, __ATOMIC_RELEASE);
}

}  // namespace restante
