#include "server/privileges.h"

#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/log.h"

namespace restante {
namespace {

std::string shown(const std::string& user) { return "user \"" + log_escaped(user) + '"'; }

std::expected<passwd, std::string> find_user(const std::string& user) {
    errno = 0;
    const passwd* found = ::getpwnam(user.c_str());  // no other thread yet
    if (found == nullptr && errno != 0 && errno != ENOENT) {
        return std::unexpected(shown(user) + " cannot be looked up: " + strerrordesc_np(errno));
    }
    if (found == nullptr) {
        return std::unexpected(shown(user) +
                               " does not exist: create it (useradd --system --shell "
                               "/usr/sbin/nologin NAME) or name another as [storage] user");
    }
    if (found->pw_uid == 0) {
        return std::unexpected(shown(user) +
                               " is root by another name: name one that is not as "
                               "[storage] user, or \"root\" to stay root");
    }
    return *found;
}

std::unexpected<std::string> cannot_become(const std::string& user, const char* call) {
    return std::unexpected("cannot become " + shown(user) + ": " + call + ": " +
                           strerrordesc_np(errno) + "; start restante as that user instead");
}

/// All three ids are the new ones, and root's cannot be had back.
bool is_irrevocable(uid_t uid, gid_t gid) {
    uid_t uids[3];
    gid_t gids[3];
    if (::getresuid(&uids[0], &uids[1], &uids[2]) < 0) return false;
    if (::getresgid(&gids[0], &gids[1], &gids[2]) < 0) return false;
    for (const uid_t held : uids) {
        if (held != uid) return false;
    }
    for (const gid_t held : gids) {
        if (held != gid) return false;
    }
    return ::setresuid(0, 0, 0) < 0 && ::seteuid(0) < 0;
}

/// Executed files could take from it. Without CAP_SETPCAP the kernel refuses; then no_new_privs
/// stands before it alone.
void empty_bounding_set() {
    for (unsigned long capability = 0; ::prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0;
         ++capability) {
        ::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
    }
}

/// Such as CAP_NET_BIND_SERVICE, which systemd gives a service that is not root
/// (AmbientCapabilities=). Whether none is left: effective, permitted, inheritable, ambient.
bool drop_capabilities() {
    ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> sets{};
    if (::syscall(SYS_capset, &header, sets.data()) < 0) return false;
    if (::syscall(SYS_capget, &header, sets.data()) < 0) return false;
    for (const __user_cap_data_struct& held : sets) {
        errno = EPERM;
        if ((held.effective | held.permitted | held.inheritable) != 0) return false;
    }
    return true;
}

std::expected<void, std::string> become(const std::string& user) {
    const std::expected<passwd, std::string> found = find_user(user);
    if (!found) return std::unexpected(found.error());
    const uid_t uid = found->pw_uid;
    const gid_t gid = found->pw_gid;
    if (::initgroups(user.c_str(), gid) < 0) return cannot_become(user, "initgroups");
    empty_bounding_set();  // while that is allowed
    if (::setresgid(gid, gid, gid) < 0) return cannot_become(user, "setresgid");
    if (::setresuid(uid, uid, uid) < 0) return cannot_become(user, "setresuid");
    if (!is_irrevocable(uid, gid)) {
        return std::unexpected("root could be had back after becoming " + shown(user) +
                               ": start restante as that user instead");
    }
    return {};
}

}  // namespace

std::expected<void, std::string> drop_privileges(const std::string& user) {
    const bool is_root = ::geteuid() == 0;
    const bool stays_root = is_root && user == "root";
    if (is_root && !stays_root) {
        if (std::expected<void, std::string> became = become(user); !became) return became;
    }
    if (!stays_root && !drop_capabilities()) {
        return std::unexpected(std::string("cannot give up capabilities: ") +
                               strerrordesc_np(errno) + "; start restante without any");
    }
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
        return std::unexpected(std::string("cannot set no_new_privs: ") + strerrordesc_np(errno) +
                               "; restante needs Linux 5.15 or newer");
    }
    forbid_dumps();
    return {};
}

void forbid_dumps() {
    const rlimit none{0, 0};
    ::setrlimit(RLIMIT_CORE, &none);  // lowering is always allowed
    ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

}  // namespace restante
