#pragma once
/// What a server keeps of a password for SCRAM (RFC 5802 §3, RFC 7677), and how it is stored.

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "auth/digest.h"
#include "auth/password_fault.h"
#include "base/wipe.h"

namespace restante {

/// Of new keys (RFC 7677 §4 asks for 4,096 at least; as Dovecot). The client pays for each login.
inline constexpr std::uint32_t scram_iterations = 4096;
/// A stored hash with more is refused: one verification of a PLAIN password would take 3 s.
inline constexpr std::uint32_t scram_iterations_max = 4'000'000;
inline constexpr std::size_t scram_salt_octets = 16;
inline constexpr std::size_t scram_salt_octets_max = 64;

/// Octets, not base64. Either key is as good as the password to who wants to be this server; the
/// stored key alone does not log in.
struct ScramKeys {
    DigestAlgorithm algorithm = DigestAlgorithm::sha256;  ///< sha1 or sha256
    std::uint32_t iterations = 0;
    std::string salt;
    Secret stored_key;
    Secret server_key;
};

/// "4096,<salt>,<StoredKey>,<ServerKey>", all but the number in base64, as Dovecot stores it after
/// {SCRAM-SHA-1} or {SCRAM-SHA-256}.
std::expected<ScramKeys, PasswordFault> parse_scram_keys(std::string_view text,
                                                         DigestAlgorithm algorithm);
std::string scram_keys_text(const ScramKeys& keys);

struct ScramSalt {
    std::string octets;
    std::uint32_t iterations = scram_iterations;
};
/// Blocks for as long as the iterations take (0.8 us each). A `password` that SASLprep (RFC
/// 4013) refuses has no keys: `malformed`.
std::expected<ScramKeys, PasswordFault> derive_scram_keys(std::string_view password,
                                                          const ScramSalt& salt,
                                                          DigestAlgorithm algorithm);
/// Whether `keys` were derived from `password`; blocks likewise. A password that SASLprep refuses
/// matches nothing.
std::expected<bool, PasswordFault> verify_scram_keys(std::string_view password,
                                                     const ScramKeys& keys);

/// Whether `proof` (ClientProof, decoded) of `message` (AuthMessage) is that of who knows the
/// password of `keys`. Microseconds; time does not tell how much of it was right.
bool fits_scram_keys(const ScramKeys& keys, std::string_view message, std::string_view proof);

}  // namespace restante
