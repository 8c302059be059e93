#pragma once
/// What a login passes through, put together as the configuration says: user databases, master
/// users, tokens, hashing and the throttle.

#include <cstddef>
#include <expected>
#include <memory>
#include <optional>
#include <string>

#include "auth/false_credentials.h"
#include "auth/hash_memory.h"
#include "auth/hashing.h"
#include "auth/introspection.h"
#include "auth/jwt_verifier.h"
#include "auth/login_verifier.h"
#include "auth/passwd_verifier.h"
#include "auth/throttle.h"
#include "auth/verification_cache.h"
#include "base/log.h"
#include "server/config.h"

namespace restante {

/// What all reactors share; any thread.
struct SharedLogins {
    /// Reads the user databases and the token keys, with plain system calls: before any other
    /// thread. A user database that cannot be read is logged, and refuses logins until it can; the
    /// error, a sentence for an operator, is of the tokens' settings. `cache` may be null and
    /// outlives it.
    static std::expected<std::unique_ptr<SharedLogins>, std::string> make(const Config& config,
                                                                          VerificationCache* cache,
                                                                          Log& log);
    SharedLogins(const Config& config, VerificationCache* known);

    Throttle throttle;
    HashMemory hash_memory;
    FalseCredentials false_credentials;
    VerificationCache* cache;                                    ///< null: off
    std::shared_ptr<const PasswdTable> users;                    ///< null: it could not be read
    std::shared_ptr<const PasswdTable> masters;                  ///< likewise, or there is none
    std::shared_ptr<const JwtSettings> jwt;                      ///< null: not so
    std::shared_ptr<const IntrospectionSettings> introspection;  ///< likewise
};

/// Where one reactor finds the user databases.
struct LoginPlaces {
    /// Before the process is confined. The error is a sentence for an operator.
    static std::expected<LoginPlaces, std::string> open(const AuthConfig& config);

    PasswdPlace users;
    std::optional<PasswdPlace> masters;
};

/// One a reactor. What is given outlives it.
class LoginStack {
public:
    /// `reactors`: of all, among which the hashing helpers are shared.
    LoginStack(Ring& ring, Log& log, const Config& config, SharedLogins& shared, LoginPlaces places,
               std::size_t reactors);
    LoginStack(const LoginStack&) = delete;
    LoginStack& operator=(const LoginStack&) = delete;

    Verifier& verifier() { return *login_; }

private:
    Hashing hashing_;
    PasswdFileVerifier users_;
    std::optional<PasswdFileVerifier> masters_;
    std::unique_ptr<TokenVerifier> tokens_;
    std::optional<LoginVerifier> login_;  // of the others, so the last
};

}  // namespace restante
