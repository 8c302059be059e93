#pragma once
/// Who somebody is: asked by a session, always asynchronously. What a session holds is a
/// LoginVerifier (login_verifier.h), which asks a backend (passwd_verifier.h) behind the same
/// interface.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "auth/network_list.h"
#include "auth/scram.h"
#include "base/clock.h"
#include "base/result.h"
#include "base/wipe.h"
#include "ring/socket_address.h"
#include "ring/task.h"

namespace restante {

/// What bounds one account; 0 means no bound of its own.
struct AccountLimits {
    std::uint32_t sessions =
        0;  ///< at a time, over all maildrops it may open (always 1 a maildrop)
};

/// What an account may do, from the user database.
struct AccountPolicies {
    bool may_log_in = true;    ///< false: extra field `nologin`
    bool may_use_pop3 = true;  ///< false: extra field `disablepop3`
    std::optional<NetworkList>
        allowed_networks;  ///< extra field `allow_nets`; none = from anywhere
};

/// A verified user.
struct Account {
    std::string name;  ///< canonical: [auth] default_domain and username_case applied
    std::string home;  ///< the user database's, "" = none; {home} of [storage] maildir
    std::string
        maildrop;  ///< path of an own maildrop (extra field userdb_mail), "" = [storage] maildir
    AccountLimits limits;
    AccountPolicies policies;
    std::string master{};  ///< who acts as this user, with his own password; "" = the user himself
};

/// Where a login comes from, and how long it may take.
struct LoginOrigin {
    SocketAddress peer;        ///< of no family: unknown, and in no network
    Instant deadline = never;  ///< a hash is not asked for later
};

// In proofs, `acts_as` is the authorization identity (RFC 4422 §2): whose maildrop is to be opened.
// Empty: that of `user`. The views outlive the verification.

/// A password, as USER/PASS, PLAIN and LOGIN carry it.
struct PasswordProof {
    std::string_view user;
    std::string_view password;
    std::string_view acts_as{};
};

/// APOP (RFC 1939 §7): `digest` is 32 lower-case hex digits, of `timestamp` (with its angle
/// brackets) followed by the secret.
struct ApopProof {
    std::string_view user;
    std::string_view timestamp;
    std::string_view digest;
};

/// Proven outside of POP3: by a client certificate whose name is `user` (EXTERNAL). Whoever makes
/// one vouches for it; what remains is to find the account.
struct ExternalProof {
    std::string_view user;
    std::string_view acts_as{};
};

/// OAUTHBEARER and XOAUTH2. `user` is whose maildrop the client wants; "" = whoever the token says.
struct TokenProof {
    std::string_view user;
    std::string_view token;
};

using Proof = std::variant<PasswordProof, ApopProof, ExternalProof, TokenProof>;

/// "No" is an answer, not an Error: an unknown user and a wrong password are the same one to the
/// client.
struct Rejected {
    const char* reason = nullptr;  ///< a literal, for the log: why although the proof was right
};
using Verdict = std::variant<Account, Rejected>;

/// What a challenge mechanism computes with.
enum class CredentialKind : std::uint8_t {
    secret,         ///< CRAM-MD5, DIGEST-MD5: the password itself
    scram_sha_1,    ///< SCRAM-SHA-1 and its -PLUS
    scram_sha_256,  ///< SCRAM-SHA-256 and its -PLUS
};

struct CredentialQuery {
    CredentialKind kind;
    std::string_view user;
    std::string_view acts_as{};
    /// Of SCRAM: keys are derived where they must be, which takes long. A challenge does without
    /// them, so whoever opens an exchange costs nothing, and a proof asks first without: its keys
    /// may be remembered (`Credentials::are_to_be_derived`).
    bool derives = true;
};

/// Always something to compute with, so that an exchange goes on alike for everybody: for users
/// that there are not, or whose password is stored otherwise, it is false and always the same.
struct Credentials {
    std::optional<Account> account;  ///< none: the exchange is to fail, whatever the client sends
    const char* refusal = nullptr;   ///< Rejected::reason, for a client that knows the secret
    Secret secret;                   ///< CredentialKind::secret
    ScramKeys scram;                 ///< the other kinds
    /// Salt and iterations are true; the keys only where the client's proof fits them. Where it
    /// does not, and not before, they are to be asked for with CredentialQuery::derives.
    bool are_to_be_derived = false;
    bool took_token = false;  ///< of the address, for a hash (throttle.h)
};

class Verifier {
public:
    virtual ~Verifier() = default;
    /// The Error: the backend cannot tell. `broken`: needs a human ([SYS/PERM]); else it may pass
    /// ([SYS/TEMP]). It has been logged. Work and time do not tell whether the user exists.
    virtual Task<Result<Verdict>> verify(Proof proof, LoginOrigin origin = {}) = 0;
    /// The same, for mechanisms whose client shows that it knows a secret without sending it.
    virtual Task<Result<Credentials>> credentials(CredentialQuery query,
                                                  LoginOrigin origin = {}) = 0;
};

}  // namespace restante
