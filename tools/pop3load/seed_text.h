#pragma once
/// A message that says itself what it must be: its second header line carries its octets and the
/// hash of its body, so that whoever fetches it can tell without asking whoever wrote it.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace pop3load {

/// Of the line "X-Pop3load: octets=%012u hash=%016x": what a fetched message must be.
struct SelfDescription {
    std::uint64_t octets;  ///< of the whole message on the wire, un-stuffed, with CRLF
    std::uint64_t hash;    ///< XXH3_64bits of the body: all after the empty line, with CRLF
};
inline constexpr std::string_view self_description_keyword = "X-Pop3load: ";

enum class LineEnds : std::uint8_t {
    lf,
    crlf,
    wire_ready,  ///< CRLF, and no line begins with a dot: goes out as it is
};

/// A message of `octets` on the wire (at least seed_octets_min; smaller ones get that), the same
/// for the same `identity`, octets and line ends. It ends in a line end, no line is longer than 998
/// octets (RFC 5322 §2.1.1), and in some messages lines of the body begin with a dot. `octets` and
/// the hash are those of the CRLF form.
std::string seed_message(std::uint64_t identity, std::uint64_t octets, LineEnds line_ends);
inline constexpr std::uint64_t seed_octets_min = 256;
/// What the self-description has digits for.
inline constexpr std::uint64_t seed_octets_max = 999'999'999'999;

/// `line` without its line end; nothing where it is another line.
std::optional<SelfDescription> parse_self_description(std::string_view line);

}  // namespace pop3load
