#pragma once
/// The release, as `restante version` prints it and IMPLEMENTATION (RFC 2449 §6.9) may.

#include <string_view>

namespace restante {

inline constexpr std::string_view version = "0.1.0";

}  // namespace restante
