#pragma once
/// The kinds of exchange that start_sasl_exchange() chooses from.

#include <memory>
#include <string>

#include "auth/sasl_exchange.h"
#include "base/wipe.h"

namespace restante {

/// RFC 4616.
class PlainExchange final : public SaslExchange {
public:
    SaslStep start() override;
    SaslStep step(std::string_view response) override;
    std::string_view user() const override { return user_; }

private:
    Secret response_;
    std::string_view user_;  // in response_
};

/// draft-murchison-sasl-login.
class LoginExchange final : public SaslExchange {
public:
    SaslStep start() override;
    SaslStep step(std::string_view response) override;
    std::string_view user() const override { return user_; }

private:
    std::string user_;
    Secret password_;
};

/// RFC 4422 appendix A: who the client is, its certificate has said already.
class ExternalExchange final : public SaslExchange {
public:
    explicit ExternalExchange(std::string_view certificate_name)
        : certificate_name_(certificate_name) {}
    SaslStep start() override;
    SaslStep step(std::string_view response) override;
    std::string_view user() const override { return certificate_name_; }

private:
    const std::string_view certificate_name_;
    std::string acts_as_;
};

/// OAUTHBEARER (RFC 7628) and XOAUTH2: a refusal is told in JSON, and the client answers that.
class TokenExchange final : public SaslExchange {
public:
    TokenExchange(SaslMechanism mechanism, const SaslPolicy& policy)
        : mechanism_(mechanism), policy_(policy) {}
    SaslStep start() override;
    SaslStep step(std::string_view response) override;
    SaslStep reject() override;
    std::string_view user() const override { return user_; }

private:
    const SaslMechanism mechanism_;
    const SaslPolicy& policy_;
    std::string user_;
    Secret token_;
    std::string refusal_;
};

/// SCRAM, CRAM-MD5 and DIGEST-MD5, by GNU SASL (gsasl_exchange.cc).
std::unique_ptr<SaslExchange> start_gsasl_exchange(SaslMechanism mechanism,
                                                   const SaslPolicy& policy,
                                                   const SaslChannel& channel);

}  // namespace restante
