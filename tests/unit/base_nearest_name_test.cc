#include "base/nearest_name.h"

#include <doctest/doctest.h>

#include <string>

using restante::nearest_name;
using namespace std::string_view_literals;

namespace {

constexpr std::string_view commands[] = {"serve", "demo", "check-config", "config", "passwd"};

}  // namespace

TEST_CASE("the nearest name is the one that the fewest edits lead to") {
    CHECK(nearest_name("serv", commands) == "serve");
    CHECK(nearest_name("check-confg", commands) == "check-config");
    CHECK(nearest_name("conifg", commands) == "config");  // two neighbours swapped
    CHECK(nearest_name("PASWD", commands) == "passwd");
    CHECK(nearest_name("demo", commands) == "demo");
}

TEST_CASE("of two names equally near the first is taken") {
    constexpr std::string_view names[] = {"abcd", "abce"};
    CHECK(nearest_name("abcf", names) == "abcd");
}

TEST_CASE("a name far from all others has no nearest one") {
    CHECK(nearest_name("xyz", commands).empty());
    CHECK(nearest_name("", commands).empty());
    CHECK(nearest_name("serve", {}).empty());
    CHECK(nearest_name(std::string(1000, 's'), commands).empty());
    const std::string longest(64, 's');
    const std::string_view same[] = {longest};
    CHECK(nearest_name(longest, same) == longest);
}
