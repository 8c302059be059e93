#pragma once
/// Which octets a user name may have, and what makes two of them one.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace restante {

/// Longest user name, domain included: what a command line can carry.
inline constexpr std::size_t user_name_octets_max = 255;

/// 1 to user_name_octets_max octets of 0x21..0x7E but `/` and `:`. Neither it nor the part after an
/// `@` starts with `.` (names become paths), nor it with `@` (nobody) or `#` (a comment in a
/// passwd-file).
bool is_user_name(std::string_view name);

/// Whether the names of a user database are compared with letters of different case taken as one.
enum class NameMatch : std::uint8_t { exact, ignore_case };
bool same_user(std::string_view left, std::string_view right, NameMatch match);

struct UserNameRules {
    std::string default_domain;                ///< appended to names without `@`; "" = none
    NameMatch match = NameMatch::ignore_case;  ///< ignore_case: names become lower case
};

/// `given` with the rules applied; empty where that is no is_user_name().
std::optional<std::string> canonical_user_name(std::string_view given, const UserNameRules& rules);

}  // namespace restante
