#include "server/privileges.h"

#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <unistd.h>

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

}  // namespace

std::expected<void, std::string> drop_privileges(const std::string& user) {
    if (::geteuid() != 0 || user == "root") return {};
    const std::expected<passwd, std::string> found = find_user(user);
    if (!found) return std::unexpected(found.error());
    const uid_t uid = found->pw_uid;
    const gid_t gid = found->pw_gid;
    if (::initgroups(user.c_str(), gid) < 0) return cannot_become(user, "initgroups");
    if (::setresgid(gid, gid, gid) < 0) return cannot_become(user, "setresgid");
    if (::setresuid(uid, uid, uid) < 0) return cannot_become(user, "setresuid");
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) return cannot_become(user, "prctl");
    if (!is_irrevocable(uid, gid)) {
        return std::unexpected("root could be had back after becoming " + shown(user) +
                               ": start restante as that user instead");
    }
    return {};
}

}  // namespace restante
