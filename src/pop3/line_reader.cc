#include "pop3/line_reader.h"

#include <cstring>
#include <utility>

#include "base/assert.h"

namespace pop3 {

LineReader::~LineReader() {
    release_long();
    explicit_bzero(short_, sizeof short_);
}

std::span<char> LineReader::space() {
    compact();
    if (capacity() - end_ < command_line_octets_max) grow();
    return {octets() + end_, capacity() - end_};
}

void LineReader::feed(std::size_t octets) {
    ASSERT(octets <= capacity() - end_);
    end_ += static_cast<std::uint32_t>(octets);
}

LineReader::Next LineReader::next(std::size_t octets_max) {
    ASSERT(octets_max > 0);
    ASSERT(octets_max <= auth_line_octets_max);
    const void* line_feed = std::memchr(octets() + scanned_, '\n', end_ - scanned_);
    if (line_feed == nullptr) return wait_for_end(octets_max);
    const auto* at = static_cast<const char*>(line_feed);
    return give_line(static_cast<std::uint32_t>(at + 1 - octets()), octets_max);
}

LineReader::Next LineReader::give_line(std::uint32_t after, std::size_t octets_max) {
    std::string_view line(octets() + begin_, after - 1 - begin_);
    const std::size_t line_octets = dropped_ + line.size() + 1;
    const bool is_overlong = dropped_ > 0 || line_octets > octets_max;
    begin_ = scanned_ = after;
    dropped_ = 0;
    if (line_octets > overlong_line_octets_max) return {Status::flooded, {}};
    if (is_overlong) return {Status::overlong, {}};
    if (line.ends_with('\r')) line.remove_suffix(1);
    return {Status::line, line};
}

LineReader::Next LineReader::wait_for_end(std::size_t octets_max) {
    scanned_ = end_;
    const std::size_t line_octets = dropped_ + (end_ - begin_);
    // Only its line end is missing, and that has an octet at least.
    if (dropped_ > 0 || line_octets >= octets_max) {
        dropped_ = static_cast<std::uint32_t>(line_octets);
        begin_ = end_;
    }
    if (line_octets >= overlong_line_octets_max) return {Status::flooded, {}};
    return {Status::incomplete, {}};
}

void LineReader::wipe() {
    explicit_bzero(octets(), begin_);
    explicit_bzero(octets() + end_, capacity() - end_);
}

void LineReader::compact() {
    const std::uint32_t unread = end_ - begin_;
    const bool gave_out = begin_ > 0;
    if (long_ && gave_out && unread <= short_octets - command_line_octets_max) {
        std::memcpy(short_, octets() + begin_, unread);
        release_long();
    } else if (gave_out) {
        std::memmove(octets(), octets() + begin_, unread);
    }
    scanned_ -= begin_;
    end_ = unread;
    begin_ = 0;
}

void LineReader::grow() {
    ASSERT(!long_);
    auto grown = std::make_unique_for_overwrite<char[]>(long_octets);
    std::memcpy(grown.get(), short_, end_);
    explicit_bzero(short_, sizeof short_);
    long_ = std::move(grown);
}

void LineReader::release_long() {
    if (!long_) return;
    explicit_bzero(long_.get(), long_octets);
    long_.reset();
}

}  // namespace pop3
