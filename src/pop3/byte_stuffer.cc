#include "pop3/byte_stuffer.h"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "base/assert.h"

namespace pop3 {

// A line at a time: what finds the line feed and what copies the line are the C library's
// vectorised ones.
std::size_t ByteStuffer::feed(std::span<const char> in, std::span<char> out) {
    ASSERT(out.size() >= 2 * in.size());
    const char* next = in.data();
    const char* const after = next + in.size();
    char* target = out.data();
    while (next < after) {
        const auto left = static_cast<std::size_t>(after - next);
        const auto* line_feed = static_cast<const char*>(std::memchr(next, '\n', left));
        const char* content_end = line_feed != nullptr ? line_feed : after;
        target = feed_content({next, content_end}, target);
        if (line_feed == nullptr) break;
        if (!after_cr_) *target++ = '\r';
        *target++ = '\n';
        at_line_start_ = true;
        after_cr_ = false;
        next = line_feed + 1;
    }
    return static_cast<std::size_t>(target - out.data());
}

char* ByteStuffer::feed_content(std::span<const char> in, char* target) {
    if (in.empty()) return target;
    if (at_line_start_ && in.front() == '.') *target++ = '.';
    at_line_start_ = false;
    after_cr_ = in.back() == '\r';
    std::memcpy(target, in.data(), in.size());
    return target + in.size();
}

std::size_t ByteStuffer::finish(std::span<char> out) {
    const std::string_view end = at_line_start_ ? ".\r\n" : "\r\n.\r\n";
    ASSERT(out.size() >= end.size());
    std::ranges::copy(end, out.begin());
    return end.size();
}

}  // namespace pop3
