#pragma once
/// From root to the user that serves, and nothing left to take.

#include <expected>
#include <string>

namespace restante {

/// Started as root, becomes `user` with its groups for good; started as another user, stays that
/// one. Either way no capability is left in any set that can be emptied, none can be gained by
/// executing a file (no_new_privs), and no dump is made (forbid_dumps()). With `user` "root", root
/// stays root with its capabilities. To be called before any other thread exists and once the ports
/// are bound. The error is a sentence with the cause and the cure; the process must then end, for
/// it may be half-way.
std::expected<void, std::string> drop_privileges(const std::string& user);

/// From now on no core file is written, whatever the limits and fs.suid_dumpable say, and none but
/// root may attach a debugger or read the memory by /proc: there are passwords and keys in it.
/// Becoming another user undoes half of it, so drop_privileges() does it again.
void forbid_dumps();

}  // namespace restante
