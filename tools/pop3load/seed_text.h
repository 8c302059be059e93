#pragma once
/// A message that says itself what it must be: its second header line, the mark, carries its
/// octets, the hash of all that is not the mark and whose it is, so that whoever fetches it can
/// tell without asking whoever wrote it.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace pop3load {

/// Of the line "X-Pop3load: octets=%012u sum=%016x user=%016x": what a fetched message must be.
struct SelfDescription {
    std::uint64_t octets;  ///< of the whole message on the wire, un-stuffed, with CRLF
    std::uint64_t sum;     ///< sum_around() the line
    /// user_hash(); nothing in a pool, whose messages are everyone's.
    std::optional<std::uint64_t> user;
};
inline constexpr std::string_view self_description_keyword = "X-Pop3load: ";

/// Of the whole message but the mark's line, whose line end is the first octets of `after`.
std::uint64_t sum_around(std::string_view before, std::string_view after);
std::uint64_t user_hash(std::string_view user);

enum class LineEnds : std::uint8_t {
    lf,
    crlf,
    wire_ready,  ///< CRLF, and no line begins with a dot: goes out as it is
};

/// A message of `octets` on the wire (at least seed_octets_min; smaller ones get that), the same
/// for the same `identity`, octets and line ends. It ends in a line end, no line is longer than 998
/// octets (RFC 5322 §2.1.1), and in some messages lines of the body begin with a dot. `octets` and
/// the sum are those of the CRLF form. `user`: whose it is; "" where many share it.
std::string seed_message(std::uint64_t identity, std::uint64_t octets, LineEnds line_ends,
                         std::string_view user = "");
inline constexpr std::uint64_t seed_octets_min = 280;
/// What the self-description has digits for.
inline constexpr std::uint64_t seed_octets_max = 999'999'999'999;

/// `line` without its line end; nothing where it is another line.
std::optional<SelfDescription> parse_self_description(std::string_view line);

/// What a message of the mailbox of `user` is, judged by its mark. Mail that was seeded for "mrose"
/// may be read as "mrose@example.org".
struct MarkVerdict {
    bool is_marked;
    std::string wrong;  ///< in words; empty: nothing is wrong, as where there is no mark
};
MarkVerdict judge_by_mark(std::string_view message, std::string_view user);

}  // namespace pop3load
