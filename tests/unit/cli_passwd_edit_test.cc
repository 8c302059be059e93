#include "cli/passwd_edit.h"

#include <doctest/doctest.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fcntl.h>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

namespace restante {
namespace {

constexpr std::string_view before =
    "# our users\r\n"
    "a:{PLAIN}1:10:20:A:/home/a::nologin\r\n"
    "\n"
    " odd line \n"
    "b:{PLAIN}2\n"
    "a:{PLAIN}3";

PasswdChange change(std::string_view user, std::string_view password = "{PLAIN}new") {
    return {user, NameMatch::exact, password};
}

}  // namespace

TEST_CASE("passwd set: only the password of the first line changes") {
    CHECK(with_password(before, change("a")) ==
          "# our users\r\na:{PLAIN}new:10:20:A:/home/a::nologin\r\n\n odd line "
          "\nb:{PLAIN}2\na:{PLAIN}3");
    CHECK(with_password(before, change("b")) ==
          "# our users\r\na:{PLAIN}1:10:20:A:/home/a::nologin\r\n\n odd line "
          "\nb:{PLAIN}new\na:{PLAIN}3");
    CHECK(with_password("c", change("c")) == "c:{PLAIN}new");
    CHECK_FALSE(with_password(before, change("c")).has_value());
    CHECK_FALSE(with_password(before, change("# our users")).has_value());
}

TEST_CASE("passwd add: the user is appended, after a line end where that was missing") {
    CHECK(with_user(before, change("c")) == std::string(before) + "\nc:{PLAIN}new::::::\n");
    CHECK(with_user("a:x\r\n", change("c")) == "a:x\r\nc:{PLAIN}new::::::\r\n");
    CHECK(with_user("", change("c")) == "c:{PLAIN}new::::::\n");
    CHECK_FALSE(with_user(before, change("b")).has_value());
    CHECK_FALSE(with_user(before, {"B", NameMatch::ignore_case, "x"}).has_value());
}

TEST_CASE("passwd del: all lines of the user go, so that no later one comes to count") {
    CHECK(without_user(before, change("a")) == "# our users\r\n\n odd line \nb:{PLAIN}2\n");
    CHECK_FALSE(without_user(before, change("c")).has_value());
}

TEST_CASE(
    "passwd: replacing keeps the mode, leaves nothing beside the file, locked until the end") {
    char folder[] = "/tmp/passwd-edit-test-XXXXXX";
    REQUIRE(::mkdtemp(folder) != nullptr);
    const std::string path = std::string(folder) + "/users";
    CHECK(PasswdEdit::open(path, false).error() ==
          path + ": cannot open: No such file or directory");
    {
        auto edit = PasswdEdit::open(path, true);
        REQUIRE(edit.has_value());
        CHECK_FALSE(edit->exists());
        REQUIRE(edit->replace("a:{PLAIN}1\n").has_value());
    }
    REQUIRE(::chmod(path.c_str(), 0640) == 0);
    {
        auto edit = PasswdEdit::open(path, false);
        REQUIRE(edit.has_value());
        CHECK(edit->text() == "a:{PLAIN}1\n");
        REQUIRE(edit->replace("a:{PLAIN}2\n").has_value());

        const int other = ::open(folder, O_RDONLY | O_DIRECTORY);
        CHECK(::flock(other, LOCK_EX | LOCK_NB) != 0);  // locked until the edit ends
        ::close(other);
    }
    struct stat status {};
    REQUIRE(::stat(path.c_str(), &status) == 0);
    CHECK((status.st_mode & 07777) == 0640);
    CHECK(status.st_size == 11);
    CHECK(::unlink(path.c_str()) == 0);
    CHECK(::rmdir(folder) == 0);  // empty
}

}  // namespace restante
