#include "pop3/byte_stuffer.h"

#include <algorithm>
#include <string_view>

#include "base/assert.h"

namespace pop3 {

std::size_t ByteStuffer::feed(std::span<const char> in, std::span<char> out) {
    ASSERT(out.size() >= 2 * in.size());
    char* next = out.data();
    for (const char octet : in) {
        if (octet == '.' && at_line_start_) *next++ = '.';
        if (octet == '\n' && !after_cr_) *next++ = '\r';
        *next++ = octet;
        at_line_start_ = octet == '\n';
        after_cr_ = octet == '\r';
    }
    return static_cast<std::size_t>(next - out.data());
}

std::size_t ByteStuffer::finish(std::span<char> out) {
    const std::string_view end = at_line_start_ ? ".\r\n" : "\r\n.\r\n";
    ASSERT(out.size() >= end.size());
    std::ranges::copy(end, out.begin());
    return end.size();
}

}  // namespace pop3
