#pragma once
/// Passwords from whoever runs the command.

#include <expected>
#include <string>

#include "base/wipe.h"

namespace restante {

/// On a terminal: asked for without echo, and once more where `twice`; else one line of standard
/// input. 1 to password_octets_max octets without control octets. The error is a sentence for the
/// user.
std::expected<Secret, std::string> read_password(const std::string& prompt, bool twice);

}  // namespace restante
