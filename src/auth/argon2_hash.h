#pragma once
/// Argon2 hashes, by libsodium.

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include "auth/password_fault.h"

namespace restante {

/// Whether `hash` ("$argon2id$v=19$m=65536,t=2,p=1$salt$hash", or argon2i) can be verified: its
/// form, its cost.
std::expected<void, PasswordFault> check_argon2_hash(std::string_view hash);

/// KiB that verifying `hash`, which has passed check_argon2_hash(), takes.
std::uint64_t argon2_hash_memory_kib(std::string_view hash);

/// `hash` has passed check_argon2_hash(). Blocks for as long as the hash costs.
std::expected<bool, PasswordFault> verify_argon2_hash(std::string_view secret,
                                                      std::string_view hash);

/// A new hash with a random salt: 64 MiB, 2 passes (ARGON2ID), 32 MiB, 4 passes (ARGON2I).
std::expected<std::string, PasswordFault> make_argon2_hash(std::string_view secret, bool argon2id);

}  // namespace restante
