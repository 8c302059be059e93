#pragma once
/// What RETR and TOP of a message will cost, measured once by reading it.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "pop3/types.h"

namespace pop3 {

/// The first octets (of the file, from 0) at which a '.' starts a line, so that the pieces between
/// them can go zero-copy. A message with more of them is not worth it.
inline constexpr std::size_t stuffed_dots_recorded_max = 16;

/// Everything the index keeps about the octets of one message.
struct MessageMeasure {
    std::uint64_t stored_octets = 0;  ///< in the file
    Octets octets;                    ///< at the client
    /// Stored octets up to and including the blank line; all of them where there is no blank line.
    std::uint64_t header_octets = 0;
    /// Every line ends in CRLF, the last one too, and none starts with '.': the file can be sent as
    /// it is.
    bool wire_ready = false;
    std::uint64_t stuffed_dots = 0;  ///< lines that start with '.'
    std::array<std::uint64_t, stuffed_dots_recorded_max> stuffed_dot_at{};  ///< the first of them
    friend bool operator==(const MessageMeasure&, const MessageMeasure&) = default;
};

/// Any split of the input gives the same measure. Agrees with ByteStuffer: octets = what feed() and
/// finish() write, without the doubled dots and the termination, which is ByteStuffer::octets().
class MessageMeter {
public:
    void feed(std::span<const char> in);
    MessageMeasure finish() const;

private:
    void feed_octet(char octet);
    void feed_run(std::span<const char> in);

    MessageMeasure measure_;  // stored_octets: those fed so far
    std::uint64_t bare_lfs_ = 0;
    bool header_ended_ = false;
    // The octets fed last, the very last first. A message begins with the start of a line.
    char before_ = '\n';
    char before2_ = 'x';
};

}  // namespace pop3
