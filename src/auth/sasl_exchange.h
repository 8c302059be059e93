#pragma once
/// One AUTH command (RFC 5034) without its I/O: what the client sent goes in, what to do next comes
/// out. Lines, base64, "=" and "*" are the session's.
///
///     std::unique_ptr<SaslExchange> exchange = start_sasl_exchange(mechanism, policy, channel);
///     SaslStep step = initial ? exchange->step(*initial) : exchange->start();
///     for (;;) switch (step.kind) {
///         challenge:     send it, read a line; step = exchange->step(decoded); continue
///         credentials:   await verifier.credentials(step.query); step = exchange->supply(...)
///         proof:         await verifier.verify(step.proof); an Account ends it; Rejected:
///                        step = exchange->reject()
///         authenticated: exchange->take_account(), which ends it
///         failed:        the delay; send step.challenge unless it is empty, and read a line,
///                        whatever is in it; -ERR
///         malformed:     the delay; -ERR
///     }

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "auth/password_fault.h"
#include "auth/sasl_mechanism.h"
#include "auth/user_name.h"
#include "auth/verifier.h"

namespace restante {

/// Longest token: a JWT with many groups in it.
inline constexpr std::size_t token_octets_max = 8 * 1024;
/// Longest decoded response that any mechanism takes: a token, its user, host and port.
inline constexpr std::size_t sasl_response_octets_max = token_octets_max + 1024;
/// Longest decoded response of SCRAM, CRAM-MD5 and DIGEST-MD5 (RFC 2831 §2.1.2: under 4,096).
inline constexpr std::size_t sasl_challenge_response_octets_max = 4095;
/// Longest challenge, so that it fits a response line in base64 ("+ ", 508 octets, CRLF).
inline constexpr std::size_t sasl_challenge_octets_max = 381;

struct SaslStep {
    enum class Kind : std::uint8_t {
        challenge,      ///< send `challenge` in base64 (an empty one is "+ " alone)
        credentials,    ///< look up what `query` asks for
        proof,          ///< verify `proof`
        authenticated,  ///< ended: the account is the exchange's
        failed,     ///< ended: a failed login; `challenge` tells the client why, after the delay
        malformed,  ///< ended: counts as a failed login
    };
    Kind kind;
    std::string_view challenge{};  ///< this and the other views: until the exchange's next call
    CredentialQuery query{};
    Proof proof{};
    const char* reason = nullptr;  ///< of failed: Rejected::reason, a literal for the log
};

/// Wipes at its end what the client sent.
class SaslExchange {
public:
    virtual ~SaslExchange() = default;
    SaslExchange(const SaslExchange&) = delete;
    SaslExchange& operator=(const SaslExchange&) = delete;

    /// Without an initial response. With one, call step() at once.
    virtual SaslStep start() = 0;
    /// `response` is decoded. Only after `challenge`, or first.
    virtual SaslStep step(std::string_view response) = 0;
    /// After `credentials`.
    virtual SaslStep supply(Credentials credentials);
    /// After `proof`: it was rejected.
    virtual SaslStep reject();
    /// After `authenticated`, once.
    virtual Account take_account();
    /// As the client gave it, for the log; "" while it is not known.
    virtual std::string_view user() const = 0;

protected:
    SaslExchange() = default;
};

/// `mechanism` is one that is offered by `policy` to who has `channel`. Both outlive the exchange.
std::unique_ptr<SaslExchange> start_sasl_exchange(SaslMechanism mechanism, const SaslPolicy& policy,
                                                  const SaslChannel& channel);

}  // namespace restante
