#pragma once
/// Stored passwords as Dovecot writes them: "{SCHEME}payload", "{SCHEME.b64}payload",
/// "{SCHEME.hex}payload"; without a scheme it is CRYPT.

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "auth/crypt_hash.h"
#include "auth/password_fault.h"
#include "auth/scram.h"
#include "base/wipe.h"

namespace restante {

/// What new passwords are stored with. Not ARGON2ID: POP3 clients log in every few minutes for as
/// long as the account lives, a poll that comes later than [auth] cache_ttl pays for the hash, and
/// SHA512-CRYPT is 2 ms and no memory where ARGON2ID is 100 ms and 64 MiB. It is also read by every
/// other server. Who wants the stronger one says --scheme.
inline constexpr std::string_view default_password_scheme = "SHA512-CRYPT";

struct PasswordScheme;  // a row of the table in password_scheme.cc

/// A stored password taken apart and found usable. Views into the text it was parsed from.
class StoredPassword {
public:
    /// Methods that cost alike share a number; below families.
    static constexpr std::size_t families = 5 + crypt_methods;

    static std::expected<StoredPassword, PasswordFault> parse(std::string_view stored);
    /// parse() of a text that has passed it before, without examining its hash again; it has no
    /// family().
    static StoredPassword recall(std::string_view stored);

    /// KiB that verify() takes beside a few (Argon2, scrypt, yescrypt), at most
    /// hash_memory_kib_max.
    std::uint64_t memory_kib() const;
    /// In microseconds, so no work for a helper: PLAIN and one pass of a digest.
    bool is_cheap() const;
    /// A payload that starts with `*` or `!`, as passwd(5) disables accounts: matches nothing.
    bool is_locked() const { return locked_; }
    /// Upper case, without suffix, e.g. "SSHA256".
    std::string_view scheme_name() const;
    std::size_t family() const { return family_; }

    /// Blocks for as long as the hash costs. Time does not tell how much of `secret` was right.
    std::expected<bool, PasswordFault> verify(std::string_view secret) const;
    /// The secret itself, where the scheme keeps it (APOP needs it).
    std::optional<Secret> plain_secret() const;
    /// What SCRAM needs, where the scheme is that of `algorithm`.
    std::optional<ScramKeys> scram_keys(DigestAlgorithm algorithm) const;

private:
    enum class Encoding : std::uint8_t { native, base64, hex };
    StoredPassword(const PasswordScheme& scheme, Encoding encoding, std::string_view payload)
        : scheme_(&scheme), encoding_(encoding), payload_(payload) {}
    static std::expected<StoredPassword, PasswordFault> take_apart(std::string_view stored);
    std::optional<PasswordFault> examine();
    std::optional<Secret> decoded() const;

    const PasswordScheme* scheme_;
    Encoding encoding_;
    bool locked_ = false;
    std::uint8_t family_ = 0;
    std::string_view payload_;
};

/// StoredPassword::parse() and verify() in one.
std::expected<bool, PasswordFault> verify_password(std::string_view secret,
                                                   std::string_view stored);

/// "{SCHEME}payload" of `secret`, with a random salt. `scheme` in any case; PLAIN becomes
/// {PLAIN.b64} where a passwd-file could not hold the secret. Blocks for as long as the hash costs.
/// The secret is 1 to password_octets_max octets without NUL, else `malformed`.
std::expected<std::string, PasswordFault> hash_password(std::string_view secret,
                                                        std::string_view scheme);

/// Every name that "{SCHEME}" may hold.
std::span<const std::string_view> password_scheme_names();
/// In any case, without suffix.
bool is_password_scheme(std::string_view name);

}  // namespace restante
