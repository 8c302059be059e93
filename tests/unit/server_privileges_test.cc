#include "server/privileges.h"

#include <doctest/doctest.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <functional>

using restante::drop_privileges;
using restante::forbid_dumps;

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

using CapabilitySets = std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3>;

/// capget(2) or capset(2) of this process.
long capabilities(long call, CapabilitySets& sets) {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    return ::syscall(call, &header, sets.data());
}

bool has_no_capability() {
    CapabilitySets sets{};
    bool is_empty = capabilities(SYS_capget, sets) == 0;
    for (const __user_cap_data_struct& held : sets) {
        is_empty = is_empty && (held.effective | held.permitted | held.inheritable) == 0;
    }
    for (unsigned long each = 0; each <= CAP_LAST_CAP; ++each) {
        is_empty = is_empty && ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, each, 0, 0) != 1;
    }
    return is_empty;
}

bool is_bounding_set_empty() {
    for (unsigned long each = 0; each <= CAP_LAST_CAP; ++each) {
        if (::prctl(PR_CAPBSET_READ, each, 0, 0, 0) == 1) return false;
    }
    return true;
}

/// As systemd starts a service with User= and AmbientCapabilities=.
bool become_nobody_with(unsigned capability) {
    const passwd* nobody = ::getpwnam("nobody");
    ::prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0);
    if (::setresuid(nobody->pw_uid, nobody->pw_uid, nobody->pw_uid) < 0) return false;
    CapabilitySets sets{};
    sets[0] = {1u << capability, 1u << capability, 1u << capability};
    if (capabilities(SYS_capset, sets) < 0) return false;
    return ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0) == 0;
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

TEST_CASE("started as root, no capability is left in any set, the bounding set included") {
    if (!is_root()) return;
    CHECK(holds_in_child([] {
        return drop_privileges("nobody") && has_no_capability() && is_bounding_set_empty();
    }));
}

TEST_CASE("started as its user with a capability to open ports, the server gives that up too") {
    if (!is_root()) return;
    CHECK(holds_in_child([] {
        return become_nobody_with(CAP_NET_BIND_SERVICE) && !has_no_capability() &&
               drop_privileges("vmail") && has_no_capability();
    }));
}

TEST_CASE("executing a file gains nothing, whoever the server was started as") {
    CHECK(holds_in_child([] {
        return drop_privileges(::geteuid() == 0 ? "root" : "nobody") &&
               ::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;
    }));
}

TEST_CASE("no dump is made of a server, and becoming another user does not undo that") {
    const auto is_forbidden = [] {
        rlimit limit{1, 1};
        return ::prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0 && ::getrlimit(RLIMIT_CORE, &limit) == 0 &&
               limit.rlim_cur == 0 && limit.rlim_max == 0;
    };
    CHECK(holds_in_child([&] { return forbid_dumps(), is_forbidden(); }));
    CHECK(holds_in_child([&] { return drop_privileges("nobody") && is_forbidden(); }));
}
