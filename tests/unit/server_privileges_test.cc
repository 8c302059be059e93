#include "server/privileges.h"

#include <doctest/doctest.h>
#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <functional>

using restante::drop_privileges;

namespace {

bool is_root() {
    if (::geteuid() == 0) return true;
    std::puts("skipped: dropping privileges: only root can");
    return false;
}

/// Whether `claim` holds in a process of its own.
bool holds_in_child(const std::function<bool()>& claim) {
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) ::_exit(claim() ? 0 : 1);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    return status == 0;
}

}  // namespace

TEST_CASE("started as root, the server becomes its user with that user's groups only") {
    if (!is_root()) return;
    const passwd* found = ::getpwnam("nobody");
    REQUIRE(found != nullptr);
    const uid_t uid = found->pw_uid;
    const gid_t gid = found->pw_gid;
    CHECK(holds_in_child([=] {
        uid_t uids[3];
        gid_t gids[3];
        gid_t groups[2];
        return drop_privileges("nobody") && ::getresuid(&uids[0], &uids[1], &uids[2]) == 0 &&
               ::getresgid(&gids[0], &gids[1], &gids[2]) == 0 && uids[0] == uid && uids[1] == uid &&
               uids[2] == uid && gids[0] == gid && gids[1] == gid && gids[2] == gid &&
               ::getgroups(2, groups) == 1 && groups[0] == gid;
    }));
}

TEST_CASE("once dropped, privileges cannot be had back") {
    if (!is_root()) return;
    CHECK(holds_in_child([] {
        return drop_privileges("nobody") && ::setuid(0) < 0 && ::setgid(0) < 0 &&
               ::seteuid(0) < 0 && ::setgroups(0, nullptr) < 0 && ::chroot("/") < 0 &&
               ::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;
    }));
}

TEST_CASE("a process that is not root keeps its user, whatever is configured") {
    CHECK(holds_in_child([] {
        if (!drop_privileges("nobody")) return false;  // a no-op where the tests are not root
        const uid_t before = ::getuid();
        return before != 0 && drop_privileges("no-such-user") && ::getuid() == before;
    }));
}

TEST_CASE("the user root means staying root") {
    if (!is_root()) return;
    CHECK(holds_in_child([] { return drop_privileges("root") && ::setuid(0) == 0; }));
}

TEST_CASE("a user that does not exist is an error with its cure, and nothing changes") {
    if (!is_root()) return;
    const auto dropped = drop_privileges("no-such-user");
    REQUIRE_FALSE(dropped);
    CHECK(dropped.error() ==
          "user \"no-such-user\" does not exist: create it (useradd --system --shell "
          "/usr/sbin/nologin NAME) or name another as [storage] user");
    CHECK(::geteuid() == 0);
}
