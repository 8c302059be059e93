#include "users.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>

using pop3load::Options;
using pop3load::Users;

namespace {

std::string error_of(const std::string& text) {
    const auto users = Users::parse(text);
    return users ? "" : users.error();
}

}  // namespace

TEST_CASE("numbered users are counted from 0 and share a password") {
    const auto users = Users::numbered("user{}@example.org", 11, "secret");
    REQUIRE(users);
    CHECK(users->count() == 11);
    CHECK(users->name(0) == "user0@example.org");
    CHECK(users->name(10) == "user10@example.org");
    CHECK(users->password(0) == "secret");
    CHECK(users->password(10) == "secret");
}

TEST_CASE("a name without {} is that of one user") {
    const auto users = Users::numbered("mrose", 1, "tanstaaf");
    REQUIRE(users);
    CHECK(users->name(0) == "mrose");
    const auto many = Users::numbered("mrose", 2, "tanstaaf");
    REQUIRE_FALSE(many);
    CHECK(many.error() == "\"mrose\" names one user only: put {} where the number of each belongs");
}

TEST_CASE("numbered users that no command can hold are refused") {
    CHECK(Users::numbered("user{}", 0, "x").error() ==
          "there is no user: the number of users is 0");
    CHECK(Users::numbered("user {}", 2, "x").error() == "user \"user {}\": the name has a blank");
    CHECK(Users::numbered("u{}", 2, "").error() == "user \"u{}\": the password is empty");
    CHECK_FALSE(Users::numbered("u{}", 2, "two\nlines"));
    CHECK(Users::numbered(std::string(247, 'u') + "{}", 10, std::string(248, 'p')));
    CHECK_FALSE(Users::numbered(std::string(247, 'u') + "{}", 11, "p"));
    CHECK_FALSE(Users::numbered("u{}", 10, std::string(249, 'p')));
    CHECK_FALSE(Users::numbered(std::string(100'000, 'u') + "{}", 1, "p"));
}

TEST_CASE("a users file has a name and a password a line; a password keeps its blanks") {
    const auto users = Users::parse(
        "# made by hand\n"
        "mrose two blind mice\r\n"
        "\n"
        "pepe\t#1 \n"
        "last x");
    REQUIRE(users);
    REQUIRE(users->count() == 3);
    CHECK(users->name(0) == "mrose");
    CHECK(users->password(0) == "two blind mice");
    CHECK(users->name(1) == "pepe");
    CHECK(users->password(1) == "#1 ");
    CHECK(users->name(2) == "last");
    CHECK(users->password(2) == "x");
}

TEST_CASE("a moved Users keeps its names where they were") {
    auto users = Users::parse("a 1\n");
    REQUIRE(users);
    const std::string_view name = users->name(0);
    const Users moved = std::move(*users);
    CHECK(moved.name(0).data() == name.data());
}

TEST_CASE("a mistake in a users file is told with its line") {
    CHECK(error_of("a 1\nb\n") == "line 2: the password is empty");
    CHECK(error_of("a 1\n\nb \n") == "line 3: the password is empty");
    CHECK(error_of(" a 1\n") == "line 1: the name is empty");
    CHECK(error_of("a 1\n# b\nc 2\na 3\n") == "line 4: \"a\" is on line 1 already");
    CHECK(error_of("a x\x01y\n") ==
          "line 1: the password has a control octet: no POP3 command can hold it");
    CHECK(error_of(std::string(249, 'a') + " 1\n") ==
          "line 1: the name has more than 248 octets: no POP3 command can hold it");
    const std::string none = "there is no user in it: a line is a name, a blank and a password";
    CHECK(error_of("") == none);
    CHECK(error_of("# nobody\n\n") == none);
}

TEST_CASE("the users of the options: a file where one is named, else numbered") {
    Options options;
    CHECK(Users::from(options)->count() == options.user_count);
    options.users_file = "/no/such/file";
    CHECK(Users::from(options).error() ==
          "/no/such/file cannot be read: No such file or directory");
    char path[] = "/tmp/pop3load-users-XXXXXX";
    const int file = ::mkstemp(path);
    REQUIRE(file >= 0);
    std::ofstream(path) << "a 1\nb\n";
    options.users_file = path;
    CHECK(Users::from(options).error() == std::string(path) + ": line 2: the password is empty");
    std::ofstream(path, std::ios::trunc) << "a 1\nb 2\n";
    CHECK(Users::from(options)->name(1) == "b");
    std::ofstream(path, std::ios::trunc).flush();
    CHECK_FALSE(Users::from(options));
    std::filesystem::remove(path);
}
