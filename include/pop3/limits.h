#pragma once
/// Every limit of the protocol, named once, with where it comes from.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace pop3 {

/// Longest command line accepted, line end included (RFC 2449 §4; RFC 1939 alone would be 47).
inline constexpr std::size_t command_line_octets_max = 255;
/// Longest line inside an AUTH exchange, line end included: an 8 KiB OAuth token in base64 with its
/// framing (RFC 5034 §4 asks for 12,288 at least).
inline constexpr std::size_t auth_line_octets_max = 16 * 1024;
/// Octets of an overlong line that are read and thrown away before the connection is closed.
inline constexpr std::size_t overlong_line_octets_max = 64 * 1024;
/// Longest keyword: "STLS", "AUTH" ... and the longer ones of extensions (RFC 2449 §4: 3 to 31).
inline constexpr std::size_t keyword_octets_max = 31;
/// Longest first line of a response, CRLF included (RFC 1939 §3; RFC 2449 §4).
inline constexpr std::size_t response_line_octets_max = 512;
/// Longest line that restante itself makes of a unique-id, two numbers or a text: within the
/// former.
inline constexpr std::size_t short_line_octets_max = 128;
/// Longest unique-id, octets 0x21..0x7E (RFC 1939 §7).
inline constexpr std::size_t unique_id_octets_max = 70;
/// Longest user name or password as the client gives it: what fits into a command line.
inline constexpr std::size_t credential_octets_max = command_line_octets_max;

/// Unknown or malformed lines before login after which the connection is closed.
inline constexpr std::uint32_t bad_lines_before_login_max = 5;
/// Unknown or malformed lines in a row after login after which the connection is closed.
inline constexpr std::uint32_t bad_lines_after_login_max = 20;
/// Failed logins on one connection, counted apart from bad lines.
inline constexpr std::uint32_t failed_logins_max = 5;
/// AUTH with a mechanism that is not offered, counted apart from both.
inline constexpr std::uint32_t refused_mechanisms_max = 5;

/// Shortest autologout a server may have (RFC 1939 §3).
inline constexpr std::chrono::minutes autologout_min{10};

using namespace std::string_view_literals;
static_assert("+OK "sv.size() + 10 + 1 + unique_id_octets_max + 2 <= short_line_octets_max,
              "UIDL n fits");
static_assert(short_line_octets_max <= response_line_octets_max);
static_assert(command_line_octets_max < auth_line_octets_max);
static_assert(auth_line_octets_max <= overlong_line_octets_max);

}  // namespace pop3
