#pragma once
/// Passes over text, as many octets at a time as the machine's widest registers hold: SSSE3, SSE4,
/// AVX2, AVX-512, NEON or SVE (Highway chooses when first called); one octet where there are none
/// of them. Text comes in pieces: what stood before one decides what its first octets are.

#include <cstddef>
#include <span>

namespace restante {

struct StuffedText {
    std::size_t octets = 0;        ///< written
    std::size_t doubled_dots = 0;  ///< of them the '.' that were put before a '.'
};

/// Copies `in` to `out`: a LF that no CR stands before becomes CRLF, a '.' after a LF is doubled.
/// in[0] is not copied: it is what stands before the rest. `out` has room for twice the rest and
/// does not overlap `in`; octets of it beyond those written are left alone or overwritten.
StuffedText stuff_lines(std::span<const char> in, std::span<char> out);

/// What scan_lines() stops at.
struct LineStops {
    bool dots = false;         ///< a '.' after a LF
    bool blank_lines = false;  ///< the LF of an empty line, or of one that is a CR
};

struct ScannedLines {
    std::size_t octets = 0;    ///< up to the stop, it not among them
    std::size_t bare_lfs = 0;  ///< LFs among them that no CR stands before
    std::size_t dots = 0;      ///< '.' among them that stand after a LF
};

/// Counts in `in` up to the first stop. in[0] and in[1] are not counted: they are what stands
/// before the rest.
ScannedLines scan_lines(std::span<const char> in, LineStops stops);

}  // namespace restante
