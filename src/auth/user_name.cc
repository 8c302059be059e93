#include "auth/user_name.h"

#include <algorithm>

#include "base/lower_case.h"

namespace restante {
namespace {

bool is_user_name_octet(char octet) {
    return octet > ' ' && octet <= '~' && octet != '/' && octet != ':';
}

}  // namespace

bool is_user_name(std::string_view name) {
    if (name.empty() || name.size() > user_name_octets_max) return false;
    if (name[0] == '.' || name[0] == '#' || name[0] == '@') return false;
    if (name.find("@.") != std::string_view::npos) return false;
    return std::ranges::all_of(name, is_user_name_octet);
}

bool same_user(std::string_view left, std::string_view right, NameMatch match) {
    if (match == NameMatch::exact) return left == right;
    return std::ranges::equal(left, right, {}, lower_letter, lower_letter);
}

std::optional<std::string> canonical_user_name(std::string_view given, const UserNameRules& rules) {
    if (given.size() > user_name_octets_max) return std::nullopt;
    std::string name(given);
    if (!rules.default_domain.empty() && name.find('@') == std::string::npos) {
        name += '@';
        name += rules.default_domain;
    }
    if (rules.match == NameMatch::ignore_case)
        std::ranges::transform(name, name.begin(), lower_letter);
    if (!is_user_name(name)) return std::nullopt;
    return name;
}

}  // namespace restante
