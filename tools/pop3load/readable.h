#pragma once
/// Figures and foreign text as a reader of a terminal wants them.

#include <cstdint>
#include <string>
#include <string_view>

namespace pop3load {

/// Three digits and a unit, at most 7 octets: "812 ns", "31.2 us", "1.20 ms", "12.3 s", "3600 s".
std::string duration_text(double nanoseconds);

/// "59,922".
std::string count_text(std::uint64_t count);

/// "512 octets", "1.25 KiB", "45.1 MiB".
std::string octets_text(double octets);

/// Share of one as per cent: "0.020 %"; "0 %" only for nothing.
std::string share_text(double share);

/// Of text that a server or a user had a hand in: control characters, and octets that are no UTF-8,
/// as \xNN, so that it cannot move the cursor.
std::string printable(std::string_view text);

/// Octets of the UTF-8 character that `text` begins with, 1 to 4; 0 where it begins with none
/// (RFC 3629 §4).
std::size_t utf8_octets(std::string_view text);

}  // namespace pop3load
