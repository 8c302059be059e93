#include "auth/sasl_exchange.h"

#include <optional>

#include "auth/sasl_exchanges.h"
#include "auth/sasl_messages.h"
#include "base/assert.h"

namespace restante {
namespace {

/// What LOGIN asks. Clients match these, so they are not for changing.
constexpr std::string_view login_user_challenge = "Username:";
constexpr std::string_view login_password_challenge = "Password:";

constexpr SaslStep asks(std::string_view challenge) {
    return {.kind = SaslStep::Kind::challenge, .challenge = challenge};
}

constexpr SaslStep malformed() { return {.kind = SaslStep::Kind::malformed}; }

SaslStep shows(const Proof& proof) { return {.kind = SaslStep::Kind::proof, .proof = proof}; }

bool is_login_answer(std::string_view text, std::size_t octets_max) {
    return !text.empty() && text.size() <= octets_max && text.find('\0') == std::string_view::npos;
}

}  // namespace

std::unique_ptr<SaslExchange> start_sasl_exchange(SaslMechanism mechanism, const SaslPolicy& policy,
                                                  const SaslChannel& channel) {
    switch (mechanism) {
        case SaslMechanism::plain: return std::make_unique<PlainExchange>();
        case SaslMechanism::login: return std::make_unique<LoginExchange>();
        case SaslMechanism::external:
            return std::make_unique<ExternalExchange>(channel.certificate_name);
        case SaslMechanism::oauthbearer:
        case SaslMechanism::xoauth2: return std::make_unique<TokenExchange>(mechanism, policy);
        default: return start_gsasl_exchange(mechanism, policy, channel);
    }
}

SaslStep SaslExchange::supply(Credentials) { ASSERT(!"a mechanism that asks for credentials"); }

SaslStep SaslExchange::reject() { return {.kind = SaslStep::Kind::failed}; }

Account SaslExchange::take_account() { ASSERT(!"a mechanism that verifies by itself"); }

SaslStep PlainExchange::start() { return asks(""); }

SaslStep PlainExchange::step(std::string_view response) {
    if (response.size() > sasl_response_octets_max) return malformed();
    response_ = Secret(response);
    const std::optional<PlainMessage> message = parse_plain_message(response_.text());
    if (!message) return malformed();
    user_ = message->user;
    return shows(PasswordProof{message->user, message->password, message->acts_as});
}

SaslStep LoginExchange::start() { return asks(login_user_challenge); }

SaslStep LoginExchange::step(std::string_view response) {
    if (user_.empty()) {
        if (!is_login_answer(response, user_name_octets_max)) return malformed();
        user_ = response;
        return asks(login_password_challenge);
    }
    if (!is_login_answer(response, password_octets_max)) return malformed();
    password_ = Secret(response);
    return shows(PasswordProof{user_, password_.text()});
}

SaslStep ExternalExchange::start() { return asks(""); }

SaslStep ExternalExchange::step(std::string_view response) {
    if (!is_acts_as(response)) return malformed();
    acts_as_ = response;
    return shows(ExternalProof{certificate_name_, acts_as_});
}

SaslStep TokenExchange::start() { return asks(""); }

SaslStep TokenExchange::step(std::string_view response) {
    std::optional<TokenMessage> message = mechanism_ == SaslMechanism::xoauth2
                                              ? parse_xoauth2(response)
                                              : parse_oauthbearer(response);
    if (!message) return malformed();
    user_ = std::move(message->user);
    token_ = Secret(message->token);
    return shows(TokenProof{user_, token_.text()});
}

/// RFC 7628 §3.2.2; XOAUTH2 has its own words for the same. The scope is the configuration's, which
/// has no octet that JSON would escape (RFC 6749 §3.3).
SaslStep TokenExchange::reject() {
    const bool is_xoauth2 = mechanism_ == SaslMechanism::xoauth2;
    refusal_ =
        is_xoauth2 ? R"({"status":"401","schemes":"bearer")" : R"({"status":"invalid_token")";
    if (!policy_.token_scope.empty()) refusal_ += R"(,"scope":")" + policy_.token_scope + '"';
    refusal_ += '}';
    ASSERT(refusal_.size() <= sasl_challenge_octets_max);
    return {.kind = SaslStep::Kind::failed, .challenge = refusal_};
}

}  // namespace restante
