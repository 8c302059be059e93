// SCRAM, CRAM-MD5 and DIGEST-MD5 by GNU SASL. Its steps ask for credentials while they run, so
// these are looked up before: the name is found first (sasl_messages.h), and what GNU SASL then
// finds must be the same.
//
// It compares with memcmp: of values that depend on this exchange's random challenge and are tried
// once, so what the time tells is of no use.
#include <gsasl.h>

#include <cstring>
#include <optional>
#include <string>
#include <utility>

#include "auth/sasl_exchanges.h"
#include "auth/sasl_messages.h"
#include "base/assert.h"
#include "base/base64.h"

namespace restante {
namespace {

bool is_scram(SaslMechanism mechanism) {
    return mechanism != SaslMechanism::cram_md5 && mechanism != SaslMechanism::digest_md5;
}

bool is_plus(SaslMechanism mechanism) {
    return mechanism == SaslMechanism::scram_sha_1_plus ||
           mechanism == SaslMechanism::scram_sha_256_plus;
}

CredentialKind kind_of(SaslMechanism mechanism) {
    switch (mechanism) {
        case SaslMechanism::scram_sha_256_plus:
        case SaslMechanism::scram_sha_256: return CredentialKind::scram_sha_256;
        case SaslMechanism::scram_sha_1_plus:
        case SaslMechanism::scram_sha_1: return CredentialKind::scram_sha_1;
        default: return CredentialKind::secret;
    }
}

struct LibraryEnd {
    void operator()(Gsasl* library) const { gsasl_done(library); }
};

/// Which properties of a session hold secrets.
constexpr Gsasl_property secret_properties[] = {GSASL_PASSWORD, GSASL_SCRAM_STOREDKEY,
                                                GSASL_SCRAM_SERVERKEY};

struct SessionEnd {
    void operator()(Gsasl_session* session) const {
        for (const Gsasl_property property : secret_properties) {
            const char* text = gsasl_property_fast(session, property);
            if (text != nullptr) explicit_bzero(const_cast<char*>(text), std::strlen(text));
        }
        gsasl_finish(session);
    }
};

class GsaslExchange final : public SaslExchange {
public:
    GsaslExchange(SaslMechanism mechanism, const SaslPolicy& policy, const SaslChannel& channel);
    ~GsaslExchange() override {
        wipe(first_);
        wipe(messages_);
        wipe(proof_);
    }

    SaslStep start() override;
    SaslStep step(std::string_view response) override;
    SaslStep supply(Credentials credentials) override;
    Account take_account() override { return *std::exchange(account_, std::nullopt); }
    std::string_view user() const override { return identity_.user; }

private:
    /// What the client's next response is.
    enum class Expected : std::uint8_t {
        identity,        ///< the one with its name
        proof,           ///< SCRAM's client-final-message
        acknowledgement  ///< nothing, after the server has proven itself
    };

    void set(Gsasl_property property, const std::string& value);
    bool may_bind(const ScramFirst& first) const;
    std::optional<ClaimedIdentity> identify(std::string_view response);
    SaslStep take_identity(std::string_view response);
    SaslStep take_proof(std::string_view response);
    SaslStep query(bool derives) const;
    SaslStep judge(const Credentials& credentials);
    SaslStep answer(int outcome);
    SaslStep ask(Expected next);
    SaslStep fail() const;
    int run(std::string_view response);
    bool is_same_identity() const;

    const SaslMechanism mechanism_;
    const SaslChannel& channel_;
    const std::string hostname_;
    std::unique_ptr<Gsasl, LibraryEnd> library_;
    std::unique_ptr<Gsasl_session, SessionEnd> session_;
    Expected expected_ = Expected::identity;
    bool has_started_ = false;
    ClaimedIdentity identity_;
    std::string first_;     // the response with the identity, then SCRAM's with the proof
    std::string binding_;   // what SCRAM's `c=` must be, decoded
    bool is_bound_ = true;  // and was
    std::string output_;
    // SCRAM's, from the challenge to the proof.
    std::string messages_;  // of AuthMessage, what goes before client-final-message; then all of it
    std::string proof_;     // its `p=`, decoded
    bool are_keys_derived_ = false;
    std::optional<Account> account_;
    const char* refusal_ = nullptr;
};

GsaslExchange::GsaslExchange(SaslMechanism mechanism, const SaslPolicy& policy,
                             const SaslChannel& channel)
    : mechanism_(mechanism), channel_(channel), hostname_(policy.hostname) {
    Gsasl* library = nullptr;
    ASSERT(gsasl_init(&library) == GSASL_OK);  // else out of memory
    library_.reset(library);
    Gsasl_session* session = nullptr;
    ASSERT(gsasl_server_start(library, name_of(mechanism).data(), &session) == GSASL_OK);
    session_.reset(session);
    if (is_scram(mechanism)) {
        // Also of the forms without -PLUS: "y" is a lie then.
        if (!channel.tls_exporter.empty()) {
            set(GSASL_CB_TLS_EXPORTER, base64_encode(channel.tls_exporter));
        }
        if (!channel.tls_unique.empty()) {
            set(GSASL_CB_TLS_UNIQUE, base64_encode(channel.tls_unique));
        }
    } else {
        set(GSASL_SERVICE, "pop");
        set(GSASL_HOSTNAME, hostname_);
        set(GSASL_REALM, hostname_);
        set(GSASL_QOPS, "qop-auth");
    }
}

void GsaslExchange::set(Gsasl_property property, const std::string& value) {
    ASSERT(gsasl_property_set(session_.get(), property, value.c_str()) == GSASL_OK);
}

/// The library's verdict; what it has to say is in output_.
int GsaslExchange::run(std::string_view response) {
    char* output = nullptr;
    std::size_t octets = 0;
    const int outcome =
        gsasl_step(session_.get(), response.data(), response.size(), &output, &octets);
    output_.assign(output == nullptr ? "" : output, octets);
    gsasl_free(output);
    return outcome;
}

SaslStep GsaslExchange::start() {
    has_started_ = true;
    if (is_scram(mechanism_)) return ask(Expected::identity);
    return run("") == GSASL_NEEDS_MORE ? ask(Expected::identity) : fail();
}

SaslStep GsaslExchange::step(std::string_view response) {
    if (response.size() > sasl_challenge_response_octets_max) return {SaslStep::Kind::malformed};
    // CRAM-MD5 and DIGEST-MD5 have no initial response: the server speaks first (RFC 4422 §3).
    if (!has_started_ && !is_scram(mechanism_)) return {SaslStep::Kind::malformed};
    switch (expected_) {
        case Expected::identity: return take_identity(response);
        case Expected::proof: return take_proof(response);
        case Expected::acknowledgement: break;
    }
    return {response.empty() ? SaslStep::Kind::authenticated : SaslStep::Kind::malformed};
}

SaslStep GsaslExchange::take_identity(std::string_view response) {
    std::optional<ClaimedIdentity> identity = identify(response);
    if (!identity) return {SaslStep::Kind::malformed};
    identity_ = *std::move(identity);
    first_ = response;
    return query(false);
}

SaslStep GsaslExchange::query(bool derives) const {
    return {.kind = SaslStep::Kind::credentials,
            .query = {kind_of(mechanism_), identity_.user, identity_.acts_as, derives}};
}

std::optional<ClaimedIdentity> GsaslExchange::identify(std::string_view response) {
    if (mechanism_ == SaslMechanism::cram_md5) return parse_cram_md5(response);
    if (mechanism_ == SaslMechanism::digest_md5) return parse_digest_md5(response, hostname_);
    std::optional<ScramFirst> first = parse_scram_first(response);
    if (!first || !may_bind(*first)) return std::nullopt;
    binding_ = first->header;
    messages_ = std::string(response.substr(first->header.size())) + ',';
    if (first->binding_name == "tls-exporter") binding_ += channel_.tls_exporter;
    if (first->binding_name == "tls-unique") binding_ += channel_.tls_unique;
    return std::move(first->identity);
}

/// RFC 5802 §6: a client that could bind and thinks that this server cannot ("y") talks to somebody
/// in between, who took -PLUS off the list.
bool GsaslExchange::may_bind(const ScramFirst& first) const {
    const bool can_bind = !channel_.tls_exporter.empty() || !channel_.tls_unique.empty();
    if (!is_plus(mechanism_)) {
        return first.binding_flag == 'n' || (first.binding_flag == 'y' && !can_bind);
    }
    if (first.binding_name == "tls-exporter") return !channel_.tls_exporter.empty();
    return first.binding_name == "tls-unique" && !channel_.tls_unique.empty();
}

SaslStep GsaslExchange::supply(Credentials credentials) {
    account_ = std::move(credentials.account);
    refusal_ = credentials.refusal;
    if (expected_ == Expected::proof) return judge(credentials);
    if (is_scram(mechanism_)) {
        set(GSASL_SCRAM_ITER, std::to_string(credentials.scram.iterations));
        set(GSASL_SCRAM_SALT, base64_encode(credentials.scram.salt));
    } else {
        set(GSASL_PASSWORD, credentials.secret.text());
    }
    int outcome = run(first_);
    if (!is_same_identity()) return fail();
    if (is_scram(mechanism_) && outcome == GSASL_NEEDS_MORE) {
        messages_ += output_ + ',';
        return ask(Expected::proof);
    }
    if (outcome == GSASL_NEEDS_MORE) {  // DIGEST-MD5's server has proven itself; so far, so good?
        std::string proof = std::exchange(output_, {});
        outcome = run("");
        output_ = std::move(proof);
    }
    return answer(outcome);
}

bool GsaslExchange::is_same_identity() const {
    const auto property = [this](Gsasl_property which) {
        const char* text = gsasl_property_fast(session_.get(), which);
        return std::string_view(text == nullptr ? "" : text);
    };
    return property(GSASL_AUTHID) == identity_.user && property(GSASL_AUTHZID) == identity_.acts_as;
}

SaslStep GsaslExchange::take_proof(std::string_view response) {
    std::optional<ScramFinal> final = parse_scram_final(response);
    if (!final) return {SaslStep::Kind::malformed};
    proof_ = std::move(final->proof);
    is_bound_ = final->binding == binding_;
    first_ = response;
    messages_ += final->without_proof;
    return query(false);
}

/// By what is known of the user now: where the record has changed since the challenge, the proof
/// does not fit the new one's keys.
SaslStep GsaslExchange::judge(const Credentials& credentials) {
    const ScramKeys& keys = credentials.scram;
    if (credentials.are_to_be_derived && !fits_scram_keys(keys, messages_, proof_)) {
        ASSERT(!std::exchange(are_keys_derived_, true));
        return query(true);
    }
    const Secret stored_key(base64_encode(keys.stored_key.text()));
    const Secret server_key(base64_encode(keys.server_key.text()));
    set(GSASL_SCRAM_STOREDKEY, stored_key.text());
    set(GSASL_SCRAM_SERVERKEY, server_key.text());
    return answer(run(first_));
}

/// The proof was looked at. What is left to say to the client needs a challenge in POP3 (RFC 5034
/// §4).
SaslStep GsaslExchange::answer(int outcome) {
    if (outcome == GSASL_MECHANISM_PARSE_ERROR) return {SaslStep::Kind::malformed};
    if (outcome != GSASL_OK || !is_bound_) {
        refusal_ = nullptr;  // of a right proof
        return fail();
    }
    if (!account_) return fail();
    if (output_.empty()) return {SaslStep::Kind::authenticated};
    return ask(Expected::acknowledgement);
}

SaslStep GsaslExchange::ask(Expected next) {
    if (output_.size() > sasl_challenge_octets_max) return {SaslStep::Kind::malformed};
    expected_ = next;
    return {.kind = SaslStep::Kind::challenge, .challenge = output_};
}

/// RFC 5802 §7, server-error: in place of the server's proof, so only where that was due. No user
/// is ever unknown, and no salt wrong.
SaslStep GsaslExchange::fail() const {
    SaslStep failed{.kind = SaslStep::Kind::failed, .reason = refusal_};
    if (expected_ == Expected::proof) {
        failed.challenge = is_bound_ ? "e=invalid-proof" : "e=channel-bindings-dont-match";
    }
    return failed;
}

}  // namespace

std::unique_ptr<SaslExchange> start_gsasl_exchange(SaslMechanism mechanism,
                                                   const SaslPolicy& policy,
                                                   const SaslChannel& channel) {
    return std::make_unique<GsaslExchange>(mechanism, policy, channel);
}

}  // namespace restante
