#include "base/base64.h"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <utility>

using namespace std::string_view_literals;

namespace restante {

TEST_CASE("RFC 4648 §10: the test vectors, both ways") {
    const std::pair<std::string_view, std::string_view> vectors[] = {
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
    };
    for (const auto& [octets, text] : vectors) {
        CHECK(base64_encode(octets) == text);
        CHECK(base64_decode(text) == octets);
    }
}

TEST_CASE("base64: every octet survives at every position") {
    for (int octet = 0; octet < 256; ++octet) {
        for (std::size_t length = 1; length <= 6; ++length) {
            const std::string octets(length, static_cast<char>(octet));
            CHECK(base64_decode(base64_encode(octets)) == octets);
        }
    }
}

TEST_CASE("base64: wrong length, alphabet, padding and trailing bits are refused") {
    for (const std::string_view bad :
         {"Z"sv, "Zg"sv, "Zg="sv, "Zg==="sv, "Zg==Zg=="sv, "Zm=v"sv, "=g=="sv, "===="sv, "A==="sv,
          "Zm 9"sv, "Zm9v\n"sv, "Zm9-"sv, "Zm9_"sv, "Zh=="sv, "Zm9="sv, "Zm\0v"sv, "Zm\xC3\xA9"sv,
          "*"sv}) {
        CAPTURE(std::string(bad));
        CHECK_FALSE(base64_decode(bad).has_value());
    }
}

}  // namespace restante
