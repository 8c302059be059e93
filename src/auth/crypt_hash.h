#pragma once
/// crypt(3) hashes, by libxcrypt.

#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include "auth/password_fault.h"

namespace restante {

/// Different methods cost differently; their number, for counting.
inline constexpr std::size_t crypt_methods = 12;

/// Which method made `hash` (0 .. crypt_methods - 1), or why it cannot be verified: its form, its
/// cost.
std::expected<std::size_t, PasswordFault> check_crypt_hash(std::string_view hash);

/// KiB that verifying `hash`, which has passed check_crypt_hash(), takes: scrypt's and yescrypt's
/// blocks. 0: a few.
std::uint64_t crypt_hash_memory_kib(std::string_view hash);

/// `hash` has passed check_crypt_hash(). Blocks for as long as the hash costs. A secret with a NUL
/// or over password_octets_max matches nothing.
std::expected<bool, PasswordFault> verify_crypt_hash(std::string_view secret,
                                                     std::string_view hash);

/// A new hash with a random salt. `prefix` as crypt_gensalt(3) takes it; `cost` 0: its default. The
/// secret has no NUL and password_octets_max or fewer octets.
std::expected<std::string, PasswordFault> make_crypt_hash(std::string_view secret,
                                                          const char* prefix, unsigned long cost);

}  // namespace restante
