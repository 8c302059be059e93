#pragma once
/// A message on its way out: line ends made CRLF, '.' doubled, the end marked (RFC 1939 §3).

#include <cstddef>
#include <span>

namespace pop3 {

/// Message octets in, body of a multi-line response out: bare LF becomes CRLF, a '.' that starts a
/// line is doubled ("byte-stuffing"). A line starts after LF, and at the first octet. A CR without
/// LF is an octet like any other. Any split of the input gives the same output, joined.
class ByteStuffer {
public:
    /// Octets that finish() writes at most.
    static constexpr std::size_t finish_octets_max = 5;

    /// Writes at most 2 * in.size() octets to `out`, which has room for them; returns how many.
    std::size_t feed(std::span<const char> in, std::span<char> out);
    /// Ends an unfinished last line, then writes the termination octet and CRLF.
    std::size_t finish(std::span<char> out);

private:
    /// Octets of a line, its LF not among them; returns where to go on in the output.
    char* feed_content(std::span<const char> in, char* target);

    bool at_line_start_ =
        true;  // the first octet of a message starts a line: a '.' there is stuffed too
    bool after_cr_ = false;
};

}  // namespace pop3
