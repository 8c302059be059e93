#pragma once
/// SASL, the server's side, without I/O: PLAIN (RFC 4616) and LOGIN (draft-murchison-sasl-login).
/// Base64 is the caller's (RFC 5034 §4).

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "auth/password_fault.h"
#include "auth/user_name.h"
#include "auth/verifier.h"
#include "base/wipe.h"

namespace restante {

enum class SaslMechanism : std::uint8_t { plain, login };

/// `name` in any case, as AUTH carries it.
std::optional<SaslMechanism> find_sasl_mechanism(std::string_view name);

/// Longest decoded response: PLAIN's authzid, authcid and password.
inline constexpr std::size_t sasl_response_octets_max =
    2 * user_name_octets_max + password_octets_max + 2;

/// What LOGIN asks. Clients match these, so they are not for changing.
inline constexpr std::string_view sasl_login_user_challenge = "Username:";
inline constexpr std::string_view sasl_login_password_challenge = "Password:";

/// What comes after a response of the client.
struct SaslStep {
    enum class Kind : std::uint8_t {
        challenge,  ///< send `challenge` in base64 (an empty one is "+ " alone), then step() with
                    ///< the answer
        proof,      ///< ended: verify `proof`, whose views live as long as the exchange
        malformed,  ///< ended: refuse; counts as a failed login
    };
    Kind kind;
    std::string_view challenge{};
    PasswordProof proof{};
};

/// One AUTH command. Holds what the client sent until its end, and wipes it then. Not to be moved.
class SaslExchange {
public:
    explicit SaslExchange(SaslMechanism mechanism) : mechanism_(mechanism) {}
    SaslExchange(const SaslExchange&) = delete;
    SaslExchange& operator=(const SaslExchange&) = delete;

    /// Without an initial response. With one, call step() at once.
    SaslStep start() const;
    /// `response` is decoded; not after `proof` or `malformed`.
    SaslStep step(std::string_view response);

private:
    SaslStep step_plain(std::string_view response);
    SaslStep step_login(std::string_view response);

    SaslMechanism mechanism_;
    bool has_user_ = false;  // LOGIN
    Secret user_;
    Secret password_;
};

}  // namespace restante
