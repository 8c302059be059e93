#include "net/tls_octets.h"

#include <algorithm>
#include <cstring>

#include "base/assert.h"

namespace restante {

void TlsOctets::append(std::span<const char> octets) {
    if (octets.empty()) return;
    reserve(octets.size());
    std::memcpy(memory_.get() + after_, octets.data(), octets.size());
    after_ += static_cast<std::uint32_t>(octets.size());
}

void TlsOctets::drop(std::size_t count) {
    ASSERT(count <= size());
    first_ += static_cast<std::uint32_t>(count);
    if (first_ != after_) return;
    memory_.reset();
    room_ = first_ = after_ = 0;
}

void TlsOctets::reserve(std::size_t octets) {
    ASSERT(octets < UINT32_MAX / 4);
    if (room_ - after_ >= octets) return;
    const std::uint32_t held = after_ - first_;
    const std::size_t needed = held + octets;
    if (needed <= room_) {
        std::memmove(memory_.get(), memory_.get() + first_, held);
    } else {
        // Twice as much where it grows, so that many small appends are not as many copies.
        const std::size_t room = held == 0 ? needed : std::max<std::size_t>(needed, 2 * room_);
        auto memory = std::make_unique_for_overwrite<char[]>(room);
        if (held > 0) std::memcpy(memory.get(), memory_.get() + first_, held);
        memory_ = std::move(memory);
        room_ = static_cast<std::uint32_t>(room);
    }
    first_ = 0;
    after_ = held;
}

}  // namespace restante
