#include "auth/sasl.h"

namespace restante {
namespace {

constexpr SaslStep malformed{.kind = SaslStep::Kind::malformed};

bool is_credential(std::string_view text, std::size_t octets_max) {
    return !text.empty() && text.size() <= octets_max && text.find('\0') == std::string_view::npos;
}

}  // namespace

std::optional<SaslMechanism> find_sasl_mechanism(std::string_view name) {
    if (same_user(name, "PLAIN", NameMatch::ignore_case)) return SaslMechanism::plain;
    if (same_user(name, "LOGIN", NameMatch::ignore_case)) return SaslMechanism::login;
    return std::nullopt;
}

SaslStep SaslExchange::start() const {
    const bool is_login = mechanism_ == SaslMechanism::login;
    return {.kind = SaslStep::Kind::challenge,
            .challenge = is_login ? sasl_login_user_challenge : ""};
}

SaslStep SaslExchange::step(std::string_view response) {
    if (response.size() > sasl_response_octets_max) return malformed;
    return mechanism_ == SaslMechanism::plain ? step_plain(response) : step_login(response);
}

/// [authzid] NUL authcid NUL passwd. To act as somebody else is refused: an authzid must be the
/// authcid.
SaslStep SaslExchange::step_plain(std::string_view response) {
    const std::size_t first = response.find('\0');
    if (first == std::string_view::npos) return malformed;
    const std::size_t second = response.find('\0', first + 1);
    if (second == std::string_view::npos) return malformed;
    const std::string_view acts_as = response.substr(0, first);
    const std::string_view user = response.substr(first + 1, second - first - 1);
    const std::string_view password = response.substr(second + 1);
    if (!acts_as.empty() && acts_as != user) return malformed;
    if (!is_credential(user, user_name_octets_max)) return malformed;
    if (!is_credential(password, password_octets_max)) return malformed;
    user_ = Secret(user);
    password_ = Secret(password);
    return {.kind = SaslStep::Kind::proof, .proof = {user_.text(), password_.text()}};
}

SaslStep SaslExchange::step_login(std::string_view response) {
    if (!has_user_) {
        if (!is_credential(response, user_name_octets_max)) return malformed;
        user_ = Secret(response);
        has_user_ = true;
        return {.kind = SaslStep::Kind::challenge, .challenge = sasl_login_password_challenge};
    }
    if (!is_credential(response, password_octets_max)) return malformed;
    password_ = Secret(response);
    return {.kind = SaslStep::Kind::proof, .proof = {user_.text(), password_.text()}};
}

}  // namespace restante
