#pragma once
/// GNU SASL's client, and exchanges of it with ours in one process.

#include <doctest/doctest.h>
#include <gsasl.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "auth/sasl_exchange.h"
#include "auth/scram.h"
#include "base/base64.h"

namespace restante {

/// What the client at the other end has and wants.
struct ClientSide {
    std::string user = "mrose";
    std::string password = "tanstaaf";
    std::string acts_as{};
    std::string tls_exporter{};
    std::string tls_unique{};
};

class GsaslClient {
public:
    GsaslClient(std::string_view mechanism, const ClientSide& side) {
        Gsasl* library = nullptr;
        REQUIRE(gsasl_init(&library) == GSASL_OK);
        library_.reset(library);
        Gsasl_session* session = nullptr;
        REQUIRE(gsasl_client_start(library, std::string(mechanism).c_str(), &session) == GSASL_OK);
        session_.reset(session);
        set(GSASL_AUTHID, side.user);
        set(GSASL_PASSWORD, side.password);
        set(GSASL_SERVICE, "pop");
        set(GSASL_HOSTNAME, "pop.example.org");
        if (!side.acts_as.empty()) set(GSASL_AUTHZID, side.acts_as);
        if (!side.tls_exporter.empty()) {
            set(GSASL_CB_TLS_EXPORTER, base64_encode(side.tls_exporter));
        }
        if (!side.tls_unique.empty()) set(GSASL_CB_TLS_UNIQUE, base64_encode(side.tls_unique));
    }

    /// Its answer; empty where it gives up.
    std::optional<std::string> step(std::string_view challenge) {
        char* output = nullptr;
        std::size_t octets = 0;
        const int outcome =
            gsasl_step(session_.get(), challenge.data(), challenge.size(), &output, &octets);
        std::string text(output == nullptr ? "" : output, octets);
        gsasl_free(output);
        is_content = outcome == GSASL_OK;
        if (outcome != GSASL_OK && outcome != GSASL_NEEDS_MORE) return std::nullopt;
        return text;
    }
    /// It is through, and the server has proven itself where it must.
    bool is_content = false;

private:
    struct LibraryEnd {
        void operator()(Gsasl* library) const { gsasl_done(library); }
    };
    struct SessionEnd {
        void operator()(Gsasl_session* session) const { gsasl_finish(session); }
    };
    void set(Gsasl_property property, const std::string& value) {
        REQUIRE(gsasl_property_set(session_.get(), property, value.c_str()) == GSASL_OK);
    }
    std::unique_ptr<Gsasl, LibraryEnd> library_;
    std::unique_ptr<Gsasl_session, SessionEnd> session_;
};

/// What a server knows of one user.
struct ServerSide {
    SaslPolicy policy{.hostname = "pop.example.org"};
    SaslChannel channel;
    std::string password = "tanstaaf";
    bool knows_user = true;
    const char* refusal = nullptr;

    Credentials credentials(const CredentialQuery& query) const {
        Credentials found;
        found.refusal = refusal;
        if (knows_user && refusal == nullptr) {
            found.account.emplace();
            found.account->name = query.user;
        }
        found.secret = Secret(password);
        const bool is_sha_1 = query.kind == CredentialKind::scram_sha_1;
        auto keys = derive_scram_keys(password, {.octets = "0123456789abcdef"},
                                      is_sha_1 ? DigestAlgorithm::sha1 : DigestAlgorithm::sha256);
        REQUIRE(keys.has_value());
        found.scram = std::move(*keys);
        return found;
    }
};

/// How an exchange ended, and all that went over the wire.
struct Ending {
    SaslStep::Kind kind;
    std::string last_challenge;
    std::string reason;
    std::string account;
    bool is_client_content = false;
    std::vector<std::string> challenges;
    std::vector<std::string> responses;
};

/// Credentials and proofs that the exchange asks for are answered until it asks the client.
inline SaslStep serve(SaslExchange& exchange, SaslStep step, const ServerSide& server) {
    while (step.kind == SaslStep::Kind::credentials) {
        step = exchange.supply(server.credentials(step.query));
    }
    return step;
}

inline Ending play(SaslMechanism mechanism, GsaslClient& client, const ServerSide& server) {
    const auto exchange = start_sasl_exchange(mechanism, server.policy, server.channel);
    SaslStep step = exchange->start();
    Ending ending{};
    while (step.kind == SaslStep::Kind::challenge) {
        ending.challenges.emplace_back(step.challenge);
        // A client that is through acknowledges what else the server says.
        std::optional<std::string> response =
            client.is_content && step.challenge.empty() ? "" : client.step(step.challenge);
        if (!response) {
            ending.kind = SaslStep::Kind::challenge;  // the client cancels
            return ending;
        }
        ending.responses.push_back(*response);
        step = serve(*exchange, exchange->step(*response), server);
    }
    ending.kind = step.kind;
    ending.last_challenge = step.challenge;
    ending.reason = step.reason == nullptr ? "" : step.reason;
    ending.is_client_content = client.is_content;
    if (step.kind == SaslStep::Kind::authenticated) ending.account = exchange->take_account().name;
    return ending;
}

}  // namespace restante
