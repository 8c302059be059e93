#pragma once
/// Who somebody is: asked by a session, answered by a backend (passwd_file.h), always
/// asynchronously.

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "base/result.h"
#include "ring/task.h"

namespace restante {

/// What bounds one account; 0 means no bound of its own.
struct AccountLimits {
    std::uint32_t sessions =
        0;  ///< at a time, over all maildrops it may open (always 1 a maildrop)
};

/// What an account may do, from the user database.
struct AccountPolicies {
    bool may_log_in = true;  ///< false: extra field `nologin`
};

/// A verified user.
struct Account {
    std::string name;  ///< canonical: [auth] default_domain and username_case applied
    std::string home;  ///< the user database's, "" = none; {home} of [storage] maildir
    std::string
        maildrop;  ///< path of an own maildrop (extra field userdb_mail), "" = [storage] maildir
    AccountLimits limits;
    AccountPolicies policies;
};

/// A password, as USER/PASS, PLAIN and LOGIN carry it. The views outlive the verification.
struct PasswordProof {
    std::string_view user;
    std::string_view password;
};

/// APOP (RFC 1939 §7): `digest` is 32 lower-case hex digits, of `timestamp` (with its angle
/// brackets) followed by the secret.
struct ApopProof {
    std::string_view user;
    std::string_view timestamp;
    std::string_view digest;
};

using Proof = std::variant<PasswordProof, ApopProof>;

/// "No" is an answer, not an Error: an unknown user and a wrong password are the same one.
struct Rejected {};
using Verdict = std::variant<Account, Rejected>;

class Verifier {
public:
    virtual ~Verifier() = default;
    /// The Error: the backend cannot tell. `broken`: needs a human ([SYS/PERM]); else it may pass
    /// ([SYS/TEMP]). It has been logged. Work and time do not tell whether the user exists.
    virtual Task<Result<Verdict>> verify(Proof proof) = 0;
};

}  // namespace restante
