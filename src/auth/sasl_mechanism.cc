#include "auth/sasl_mechanism.h"

#include <array>

#include "auth/user_name.h"

namespace restante {
namespace {

using enum SaslMechanism;

constexpr std::array<std::string_view, sasl_mechanisms> names = {
    "EXTERNAL",    "SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1-PLUS",
    "SCRAM-SHA-1", "OAUTHBEARER",        "XOAUTH2",       "PLAIN",
    "LOGIN",       "DIGEST-MD5",         "CRAM-MD5",
};

}  // namespace

std::string_view name_of(SaslMechanism mechanism) {
    return names[static_cast<std::size_t>(mechanism)];
}

std::optional<SaslMechanism> find_sasl_mechanism(std::string_view name) {
    for (std::size_t i = 0; i < sasl_mechanisms; ++i) {
        if (same_user(name, names[i], NameMatch::ignore_case)) return static_cast<SaslMechanism>(i);
    }
    return std::nullopt;
}

bool is_cleartext(SaslMechanism mechanism) {
    return mechanism == plain || mechanism == login || mechanism == oauthbearer ||
           mechanism == xoauth2;
}

SaslMechanisms offered_mechanisms(const SaslPolicy& policy, SaslGround ground) {
    SaslMechanisms wanted = policy.mechanisms;
    if (wanted.has(scram_sha_256)) wanted.add(scram_sha_256_plus);
    if (wanted.has(scram_sha_1)) wanted.add(scram_sha_1_plus);
    const bool may_be_cleartext = ground.is_encrypted || policy.allow_cleartext;
    SaslMechanisms offered;
    wanted.for_each([&](SaslMechanism mechanism) {
        const bool is_plus = mechanism == scram_sha_256_plus || mechanism == scram_sha_1_plus;
        if (is_cleartext(mechanism) && !may_be_cleartext) return;
        if (is_plus && !(ground.is_encrypted && ground.can_bind)) return;
        if (mechanism == external && !(ground.is_encrypted && ground.has_certificate)) return;
        offered.add(mechanism);
    });
    return offered;
}

bool offers_user(const SaslPolicy& policy, SaslGround ground) {
    return ground.is_encrypted || policy.allow_cleartext;
}

}  // namespace restante
