#pragma once
/// What sessions ask: the backend, and what is the same for every backend and every mechanism. Whom
/// a login acts as (authorization identities, master users), whose a token is, and where and how an
/// account may be used (extra fields `allow_nets`, `disablepop3`).

#include <string>
#include <string_view>
#include <utility>

#include "auth/token_verifier.h"
#include "auth/user_name.h"
#include "auth/verifier.h"

namespace restante {

/// What a LoginVerifier asks in turn; all outlive it.
struct LoginSources {
    Verifier& users;
    UserNameRules rules;  ///< of the users
    /// Those who may open anybody's maildrop with their own password; null = nobody may. A database
    /// of its own, so that no user becomes one by his name.
    Verifier* masters = nullptr;
    /// "user*master" is master acting as user; NUL = only an authorization identity says so.
    char master_separator = '\0';
    TokenVerifier* tokens = nullptr;  ///< null: every token is rejected
};

/// One a reactor, used on its thread only.
class LoginVerifier final : public Verifier {
public:
    explicit LoginVerifier(LoginSources sources) : sources_(std::move(sources)) {}

    Task<Result<Verdict>> verify(Proof proof, LoginOrigin origin = {}) override;
    Task<Result<Credentials>> credentials(CredentialQuery query, LoginOrigin origin = {}) override;

private:
    /// Who proves to be somebody, and whose maildrop that is to open.
    struct Identity {
        std::string_view user;
        std::string_view acts_as;  // "": that of `user`, who is no master then
    };
    Identity identity_of(std::string_view user, std::string_view acts_as) const;
    Identity split_identity_of(std::string_view user, std::string_view acts_as) const;
    bool is_same_user(std::string_view left, std::string_view right) const;
    Task<Result<Verdict>> verify_identity(Proof proof, Identity identity, LoginOrigin origin);
    Task<Result<Verdict>> verify_token(TokenProof proof, LoginOrigin origin);
    /// `master` has been verified.
    Task<Result<Verdict>> act_as(std::string_view user, Account master, LoginOrigin origin);

    const LoginSources sources_;
};

/// Why somebody with this account may not log in from there: a literal for the log; null where
/// nothing is against it.
const char* refusal_of(const AccountPolicies& policies, const LoginOrigin& origin);

}  // namespace restante
