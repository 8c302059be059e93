#pragma once
/// JSON Web Tokens (RFC 7519) signed with RS256 or ES256 (RFC 7518 §3), verified with keys of this
/// machine.

#include <openssl/evp.h>

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "auth/token_claims.h"
#include "base/free_with.h"

namespace restante {

inline constexpr std::size_t jwt_keys_max = 32;
inline constexpr std::size_t jwt_key_file_octets_max = 256 * 1024;
inline constexpr int jwt_rsa_bits_min = 2048;  // RFC 7518 §3.3
inline constexpr int jwt_rsa_bits_max = 8192;

/// By the key, never by the token alone: an RSA key verifies RS256 and nothing else, a P-256 key
/// ES256 and nothing else. So "none" and HS256 with a public key for a secret have no key at all.
enum class JwtAlgorithm : std::uint8_t { rs256, es256 };

/// Immutable: many threads may use it.
class JwtKeys {
public:
    /// One or more PEM public keys ("BEGIN PUBLIC KEY"), or a JWK set (RFC 7517). Keys of a set
    /// that are for something else are passed over. The error is a sentence for an operator.
    static std::expected<JwtKeys, std::string> parse(std::string_view text);

    struct Signed {
        std::string_view text;
        std::string_view signature;
        JwtAlgorithm algorithm;
        std::optional<std::string_view> key_id;  ///< picks among keys that have one
    };
    bool verify(const Signed& token) const;
    std::size_t size() const { return keys_.size(); }

private:
    using Owned = std::unique_ptr<EVP_PKEY, FreeWith<EVP_PKEY_free>>;
    struct Key {
        Owned key;
        JwtAlgorithm algorithm;
        std::string id;  // "" = it has none
    };
    /// Why `key` is of no use; nullptr: it was taken.
    const char* add(EVP_PKEY* key, std::string id);
    const char* add_from_pem(std::string_view text);
    const char* add_from_set(std::string_view text);

    std::vector<Key> keys_;
};

/// Reads `path` with plain system calls: for start-up. The error is a sentence that names the file.
std::expected<JwtKeys, std::string> load_jwt_keys(const std::string& path);

/// Costs one signature (RS256: 30 us, ES256: 80 us) where the token is well-formed.
TokenUser user_of_jwt(std::string_view token, const JwtKeys& keys,
                      const TokenExpectations& expected, WallTime now);

}  // namespace restante
