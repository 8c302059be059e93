#pragma once
/// Framing: octets in whatever pieces they come, lines out.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "pop3/limits.h"

namespace pop3 {

/// Takes received octets and gives lines. Ends of line are CRLF or a bare LF. A line over the limit is
/// reported once, with its octets dropped up to its end. Any split of the input gives the same lines.
class LineReader {
public:
    enum class Status : std::uint8_t {
        line,        ///< `line` is one, without its end, valid until the next call of next() or feed()
        incomplete,  ///< feed() more
        overlong,    ///< a line over the limit came to its end
        flooded,     ///< over overlong_line_octets_max without an end: close the connection
    };
    struct Next {
        Status status;
        std::string_view line;
    };

    /// Where to receive into: command_line_octets_max octets or more; valid until feed().
    /// Must not be asked for while a line is buffered whole (next() answered `line` and was not called again).
    std::span<char> space();
    /// `octets` of space() were filled.
    void feed(std::size_t octets);
    /// The next line, at most `octets_max` long, end included: command_line_octets_max or, inside an AUTH
    /// exchange, auth_line_octets_max.
    Next next(std::size_t octets_max = command_line_octets_max);

    /// Octets received and not yet given out: what a client pipelined (or injected before a handshake).
    bool has_buffered() const { return begin_ < end_; }
    /// Overwrites what was given out, which may have been a password.
    void wipe();

private:
    std::string long_;                    // grown only inside AUTH exchanges, released after
    char buffer_[2 * command_line_octets_max + 2];
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
    std::size_t scanned_ = 0;
    std::size_t dropped_ = 0;             // octets of the overlong line dropped so far
    bool dropping_ = false;
};

}  // namespace pop3
