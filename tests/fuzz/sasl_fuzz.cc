// Whole AUTH exchanges, and the parsers below them: they end after a few bounded challenges, ask
// for nothing but possible users, and let nobody in without the secret. Input: octets for the
// mechanism and the channel, then the client's responses (decoded), each ended by LF. "\x02" in a
// response becomes the nonce of the challenge before it.
#include <memory>
#include <string>

#include "auth/password_fault.h"
#include "auth/sasl_exchange.h"
#include "auth/sasl_messages.h"
#include "base/assert.h"
#include "fuzz/input.h"
#include "fuzz/target.h"

namespace restante::fuzz {
namespace {

using Kind = SaslStep::Kind;

constexpr int challenges_max = 4;
constexpr std::string_view secret = "a secret that no input has";

/// `derives_late`: the keys of the challenge are not the true ones yet.
Credentials credentials_of(const CredentialQuery& query, bool derives_late) {
    ASSERT(!query.user.empty() && is_acts_as(query.user) && is_acts_as(query.acts_as));
    Credentials known;
    known.are_to_be_derived = derives_late && !query.derives;
    known.account.emplace().name = query.user;
    known.secret = Secret(std::string(secret));
    const bool is_sha_1 = query.kind == CredentialKind::scram_sha_1;
    known.scram = derive_scram_keys(known.are_to_be_derived ? "false" : secret,
                                    {.octets = "0123456789abcdef", .iterations = 2},
                                    is_sha_1 ? DigestAlgorithm::sha1 : DigestAlgorithm::sha256)
                      .value();
    return known;
}

void check_proof(const Proof& proof) {
    if (const auto* password = std::get_if<PasswordProof>(&proof)) {
        ASSERT(!password->user.empty() && password->user.size() <= user_name_octets_max);
        ASSERT(password->password.size() <= password_octets_max);
        ASSERT(!password->user.contains('\0') && !password->password.contains('\0'));
    } else if (const auto* token = std::get_if<TokenProof>(&proof)) {
        ASSERT(!token->token.empty() && token->token.size() <= token_octets_max);
        for (const char octet : token->token) ASSERT(octet > ' ' && octet <= '~');
    } else {
        ASSERT(is_acts_as(std::get<ExternalProof>(proof).acts_as));
    }
}

/// What a challenge says after "r=" or "nonce=\"".
std::string nonce_in(std::string_view challenge) {
    for (const std::string_view name : {"r=", "nonce=\""}) {
        const std::size_t at = challenge.find(name);
        if (at == std::string_view::npos) continue;
        const std::string_view rest = challenge.substr(at + name.size());
        return std::string(rest.substr(0, rest.find_first_of(",\"")));
    }
    return std::string(challenge);
}

std::string with_nonce(std::string_view response, std::string_view challenge) {
    std::string text;
    for (const char octet : response) {
        if (octet == '\x02') {
            text += nonce_in(challenge);
        } else {
            text += octet;
        }
    }
    return text;
}

void check_parsers(std::string_view response) {
    const auto plain = parse_plain_message(response);
    if (plain) {
        std::string again(plain->acts_as);
        (again += '\0') += plain->user;
        (again += '\0') += plain->password;
        ASSERT(again == response);
    }
    const auto scram = parse_scram_first(response);
    if (scram) ASSERT(response.starts_with(scram->header) && is_acts_as(scram->identity.user));
    const auto digest = parse_digest_md5(response, "pop.example.org");
    if (digest) ASSERT(!digest->user.empty() && is_acts_as(digest->acts_as));
    const auto cram = parse_cram_md5(response);
    if (cram) ASSERT(response.starts_with(cram->user));
    (void)parse_scram_final(response);
    for (const auto& bearer : {parse_oauthbearer(response), parse_xoauth2(response)}) {
        if (bearer) ASSERT(response.contains(bearer->token));
    }
}

/// Until the client is asked, or the exchange has ended.
SaslStep served(SaslExchange& exchange, SaslStep step, bool derives_late) {
    for (int asked = 0; step.kind == Kind::credentials; ++asked) {
        ASSERT(asked < 2);
        step = exchange.supply(credentials_of(step.query, derives_late));
    }
    if (step.kind == Kind::proof) {
        check_proof(step.proof);
        step = exchange.reject();
    }
    return step;
}

}  // namespace

void fuzz_sasl(std::string_view input) {
    Input parts(input);
    const auto mechanism = static_cast<SaslMechanism>(parts.octet() % sasl_mechanisms);
    const std::uint8_t bits = parts.octet();
    const SaslPolicy policy{.hostname = "pop.example.org", .token_scope = "mail"};
    const SaslChannel channel{.is_encrypted = true,
                              .tls_exporter = (bits & 1U) != 0 ? "exported" : "",
                              .tls_unique = (bits & 2U) != 0 ? "finished" : "",
                              .certificate_name = "mrose"};
    const bool is_plus = mechanism == SaslMechanism::scram_sha_256_plus ||
                         mechanism == SaslMechanism::scram_sha_1_plus;
    const bool can_bind = !channel.tls_exporter.empty() || !channel.tls_unique.empty();
    if (is_plus && !can_bind) return;  // is not offered
    const auto exchange = start_sasl_exchange(mechanism, policy, channel);
    SaslStep step = (bits & 4U) != 0 ? SaslStep{Kind::challenge} : exchange->start();
    for (int steps = 0; step.kind == Kind::challenge; ++steps) {
        ASSERT(steps <= challenges_max);
        ASSERT(step.challenge.size() <= sasl_challenge_octets_max);
        const std::string response = with_nonce(parts.until('\n'), step.challenge);
        check_parsers(response);
        step = served(*exchange, exchange->step(response), (bits & 8U) != 0);
    }
    ASSERT(step.kind == Kind::failed || step.kind == Kind::malformed);
    ASSERT(step.challenge.size() <= sasl_challenge_octets_max);
}

}  // namespace restante::fuzz
