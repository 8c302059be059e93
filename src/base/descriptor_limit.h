#pragma once
/// How many descriptors this process may have open (RLIMIT_NOFILE).

#include <cstdint>

namespace restante {

/// Raises the limit as far as the system lets this process; returns what it is then.
std::uint64_t raise_descriptor_limit();
/// What it is.
std::uint64_t descriptor_limit();

}  // namespace restante
