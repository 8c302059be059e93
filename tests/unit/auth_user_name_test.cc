#include "auth/user_name.h"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

using namespace std::string_view_literals;

namespace restante {

TEST_CASE("user names: only octets that are safe in a path and in a passwd-file") {
    for (int octet = 0; octet < 256; ++octet) {
        CAPTURE(octet);
        const bool is_allowed = octet > 0x20 && octet < 0x7F && octet != '/' && octet != ':';
        CHECK(is_user_name(std::string("a") + static_cast<char>(octet) + "b") == is_allowed);
    }
    for (const std::string_view bad :
         {""sv, "."sv, ".."sv, ".hidden"sv, "#comment"sv, "a@.."sv, "a@.b"sv}) {
        CAPTURE(bad);
        CHECK_FALSE(is_user_name(bad));
    }
    CHECK(is_user_name("a..b"));
    CHECK(is_user_name(std::string(user_name_octets_max, 'a')));
    CHECK_FALSE(is_user_name(std::string(user_name_octets_max + 1, 'a')));
}

TEST_CASE("user names: default_domain and username_case make the canonical name") {
    const UserNameRules lower{"example.org", NameMatch::ignore_case};
    CHECK(canonical_user_name("MRose", lower) == "mrose@example.org");
    CHECK(canonical_user_name("MRose@Other.NET", lower) == "mrose@other.net");
    const UserNameRules keep{"", NameMatch::exact};
    CHECK(canonical_user_name("MRose", keep) == "MRose");
    CHECK_FALSE(canonical_user_name("", lower).has_value());
    CHECK_FALSE(canonical_user_name("@example.org", lower).has_value());
    CHECK_FALSE(canonical_user_name("a/b", lower).has_value());
    CHECK_FALSE(canonical_user_name(std::string(user_name_octets_max, 'a'), lower).has_value());
}

}  // namespace restante
