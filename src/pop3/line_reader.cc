#include "pop3/line_reader.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>

#include "base/assert.h"
#include "base/slab.h"

namespace pop3 {
namespace {

/// Most commands come alone.
constexpr std::size_t capacity_min = 64;
/// A line that is not whole yet, and what comes next.
constexpr std::size_t capacity_max =
    std::bit_ceil(auth_line_octets_max + LineReader::fed_octets_max);
static_assert(capacity_max <= std::numeric_limits<std::uint16_t>::max());

}  // namespace

void LineReader::feed(std::span<const char> octets) {
    ASSERT(octets.size() <= fed_octets_max);
    if (octets.empty()) return;
    if (std::size_t{capacity_} - end_ < octets.size()) make_room(octets.size());
    std::memcpy(octets_ + end_, octets.data(), octets.size());
    end_ = static_cast<Offset>(end_ + octets.size());
}

LineReader::Next LineReader::next(std::size_t octets_max) {
    ASSERT(octets_max > 0);
    ASSERT(octets_max <= auth_line_octets_max);
    if (scanned_ == end_) return wait_for_end(octets_max);
    const std::string_view unseen(octets_ + scanned_, std::size_t{end_} - scanned_);
    const void* line_feed = std::memchr(unseen.data(), '\n', unseen.size());
    if (line_feed == nullptr) return wait_for_end(octets_max);
    const auto* at = static_cast<const char*>(line_feed);
    return give_line(static_cast<std::size_t>(at + 1 - octets_), octets_max);
}

LineReader::Next LineReader::give_line(std::size_t after, std::size_t octets_max) {
    std::string_view line(octets_ + begin_, after - 1 - begin_);
    const std::size_t line_octets = dropped_ + line.size() + 1;
    const bool is_overlong = dropped_ > 0 || line_octets > octets_max;
    begin_ = scanned_ = static_cast<Offset>(after);
    dropped_ = 0;
    if (line_octets > overlong_line_octets_max) return {Status::flooded, {}};
    if (is_overlong) return {Status::overlong, {}};
    if (line.ends_with('\r')) line.remove_suffix(1);
    return {Status::line, line};
}

LineReader::Next LineReader::wait_for_end(std::size_t octets_max) {
    scanned_ = end_;
    const std::size_t line_octets = dropped_ + std::size_t{end_} - begin_;
    // Only its line end is missing, and that has an octet at least.
    if (dropped_ > 0 || line_octets >= octets_max) {
        dropped_ = static_cast<std::uint32_t>(line_octets);
        begin_ = end_;
    }
    if (begin_ == end_) release();
    if (line_octets >= overlong_line_octets_max) return {Status::flooded, {}};
    return {Status::incomplete, {}};
}

void LineReader::wipe() {
    if (begin_ > 0) explicit_bzero(octets_, begin_);
}

// What was given out is not moved along.
void LineReader::make_room(std::size_t octets) {
    const std::size_t unread = std::size_t{end_} - begin_;
    const std::size_t capacity = std::max(capacity_min, std::bit_ceil(unread + octets));
    ASSERT(capacity <= capacity_max);
    auto* moved = static_cast<char*>(restante::Slab::allocate(capacity));
    if (unread > 0) std::memcpy(moved, octets_ + begin_, unread);
    const auto scanned = static_cast<Offset>(scanned_ - begin_);
    release();
    octets_ = moved;
    capacity_ = static_cast<Offset>(capacity);
    end_ = static_cast<Offset>(unread);
    scanned_ = scanned;
}

// Overwrites all that came.
void LineReader::release() {
    if (octets_ == nullptr) return;
    explicit_bzero(octets_, end_);
    restante::Slab::free(octets_, capacity_);
    octets_ = nullptr;
    capacity_ = begin_ = end_ = scanned_ = 0;
}

}  // namespace pop3
