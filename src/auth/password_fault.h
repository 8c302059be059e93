#pragma once
/// Why a stored password cannot be used; a wrong password is not one of these.

#include <cstddef>
#include <cstdint>

namespace restante {

enum class PasswordFault : std::uint8_t {
    unknown_scheme,
    malformed,    ///< not what the scheme writes
    too_costly,   ///< over one of the limits below
    unavailable,  ///< out of memory, or the system's cryptography refuses the algorithm
};

/// For an operator: "unknown password scheme", ...
const char* describe(PasswordFault fault);

/// Longest password that is hashed or accepted, octets: crypt(3) takes no more
/// (CRYPT_MAX_PASSPHRASE_SIZE, its end included).
inline constexpr std::size_t password_octets_max = 511;
/// Longest hash of any scheme, octets.
inline constexpr std::size_t password_hash_octets_max = 4096;

/// What one verification may cost: a stored hash over these is refused when it is read, rather than
/// eat the machine at each login. They are several times what any tool makes by default.
inline constexpr std::uint64_t hash_memory_kib_max = 256 * 1024;
/// Argon2: memory in KiB times passes.
inline constexpr std::uint64_t argon2_kib_passes_max = 16 * hash_memory_kib_max;
inline constexpr std::uint64_t argon2_lanes_max = 64;
/// Rounds of SHA256-, SHA512-, SHA1-, Sun MD5- and BSDi crypt: about 2 s.
inline constexpr std::uint64_t crypt_rounds_max = 5'000'000;
/// Binary logarithm of bcrypt's rounds: about 5 s.
inline constexpr std::uint64_t bcrypt_cost_max = 16;
/// scrypt's parallelism, done one after the other.
inline constexpr std::uint64_t scrypt_parallelism_max = 16;

}  // namespace restante
