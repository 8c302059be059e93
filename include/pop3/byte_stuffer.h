#pragma once
/// A message on its way out: line ends made CRLF, '.' doubled, the end marked (RFC 1939 §3).

#include <cstddef>
#include <cstdint>
#include <span>

#include "pop3/types.h"

namespace pop3 {

/// Message octets in, body of a multi-line response out: bare LF becomes CRLF, a '.' that starts a
/// line is doubled ("byte-stuffing"). A line starts after LF, and at the first octet. A CR without
/// LF is an octet like any other. Any split of the input gives the same output, joined.
class ByteStuffer {
public:
    /// Octets that finish() writes at most.
    static constexpr std::size_t finish_octets_max = 5;

    /// Writes at most 2 * in.size() octets to `out`, which has room for them and does not overlap
    /// `in`; returns how many. What `out` holds beyond them is undefined.
    std::size_t feed(std::span<const char> in, std::span<char> out);
    /// Ends an unfinished last line, then writes the termination octet and CRLF.
    std::size_t finish(std::span<char> out) const;
    /// What the client would hold if the message ended here: MessageMeter says the same of it.
    Octets octets() const;

private:
    bool at_line_start() const { return before_ == '\n'; }

    char before_ = '\n';           // the octet fed last; a message begins with the start of a line
    std::uint64_t unstuffed_ = 0;  // octets written, those that the client takes away not counted
};

}  // namespace pop3
