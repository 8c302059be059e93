#include "pop3/byte_stuffer.h"

#include <algorithm>
#include <string_view>

#include "base/assert.h"
#include "base/text_lines.h"

namespace pop3 {

// The first octet by itself: what stands before it came with an earlier piece.
std::size_t ByteStuffer::feed(std::span<const char> in, std::span<char> out) {
    ASSERT(out.size() >= 2 * in.size());
    if (in.empty()) return 0;
    const char first = in.front();
    const bool is_dot = first == '.' && at_line_start();
    std::size_t written = 0;
    if (is_dot) out[written++] = '.';
    if (first == '\n' && before_ != '\r') out[written++] = '\r';
    out[written++] = first;
    const restante::StuffedText rest = restante::stuff_lines(in, out.subspan(written));
    written += rest.octets;
    unstuffed_ += written - rest.doubled_dots - (is_dot ? 1 : 0);
    before_ = in.back();
    return written;
}

std::size_t ByteStuffer::finish(std::span<char> out) const {
    const std::string_view end = at_line_start() ? ".\r\n" : "\r\n.\r\n";
    ASSERT(out.size() >= end.size());
    std::ranges::copy(end, out.begin());
    return end.size();
}

Octets ByteStuffer::octets() const { return Octets(unstuffed_ + (at_line_start() ? 0 : 2)); }

}  // namespace pop3
