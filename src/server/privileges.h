#pragma once
/// From root to the user that serves.

#include <expected>
#include <string>

namespace restante {

/// Started as root, becomes `user` with its groups for good, with no way back and none to gain
/// privileges by executing a file; started as another user, or with `user` "root", does nothing. To
/// be called before any other thread exists and once the ports are bound. The error is a sentence
/// with the cause and the cure; the process must then end, for it may be half-way.
std::expected<void, std::string> drop_privileges(const std::string& user);

}  // namespace restante
