#pragma once
/// Framing: octets in whatever pieces they come, lines out.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "pop3/limits.h"

namespace pop3 {

/// Takes received octets and gives lines. Ends of line are CRLF or a bare LF. A line over the limit
/// is reported once, with its octets dropped up to its end. Any split of the input gives the same
/// lines. Holds memory only while it holds octets, and a line that it gave: an idle connection has
/// neither.
class LineReader {
public:
    LineReader() = default;
    LineReader(const LineReader&) = delete;
    LineReader& operator=(const LineReader&) = delete;
    ~LineReader() { release(); }

    enum class Status : std::uint8_t {
        line,  ///< `line` is one, without its end, valid until the next call of next() or feed()
        incomplete,  ///< feed() more
        overlong,    ///< a line over the limit came to its end
        flooded,     ///< over overlong_line_octets_max without an end: close the connection
    };
    struct Next {
        Status status;
        std::string_view line;
    };

    /// Takes a copy of `octets`, fed_octets_max at most. Not while a line is buffered whole: next()
    /// must have answered `incomplete`.
    void feed(std::span<const char> octets);
    /// The next line, at most `octets_max` long, end included: command_line_octets_max or, inside
    /// an AUTH exchange, auth_line_octets_max.
    Next next(std::size_t octets_max = command_line_octets_max);

    /// Octets received and not yet given out: what a client pipelined (or injected before a
    /// handshake).
    bool has_buffered() const { return begin_ < end_; }
    /// Those octets, valid until the next call of another function: an incomplete line's keyword
    /// may decide the limit that next() is given.
    std::string_view buffered() const {
        return {octets_ + begin_, std::size_t{end_} - begin_};
    }
    /// Overwrites what was given out, which may have been a password. Ends its `line`.
    void wipe();

    /// More are never fed at once.
    static constexpr std::size_t fed_octets_max = 16 * 1024;

private:
    void make_room(std::size_t octets);
    void release();
    Next give_line(std::size_t after, std::size_t octets_max);
    Next wait_for_end(std::size_t octets_max);

    using Offset = std::uint16_t;

    char* octets_ = nullptr;     // of capacity_, from the slab
    std::uint32_t dropped_ = 0;  // octets of the overlong line dropped so far
    Offset capacity_ = 0;
    // Offsets into octets_: begin_ <= scanned_ <= end_.
    Offset begin_ = 0;    // of what was not given out
    Offset end_ = 0;      // of what was received
    Offset scanned_ = 0;  // no line end in [begin_, scanned_)
};

// 100,000 connections have one each.
static_assert(sizeof(LineReader) <= 24);

}  // namespace pop3
