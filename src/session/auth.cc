// AUTH (RFC 5034): the lines of an exchange. What is in them is auth/sasl_exchange.h's.
#include "base/base64.h"
#include "base/wipe.h"
#include "net/tls_engine.h"
#include "session/session.h"

namespace restante {

/// Alone, as Outlook sends it, it lists the mechanisms.
Task<Result<Session::Login>> Session::auth(pop3::Command command) {
    if (command.argument_count == 0) {
        list_mechanisms();
        co_return Login::refused;
    }
    user_.clear();  // USER named somebody for PASS, an earlier attempt for itself
    const std::optional<SaslMechanism> mechanism = find_sasl_mechanism(command.arguments[0]);
    if (!mechanism || !offered_mechanisms(service_.policy.sasl, ground()).has(*mechanism)) {
        co_return refuse_mechanism(mechanism && is_cleartext(*mechanism));
    }
    std::optional<std::string_view> initial;
    if (command.argument_count == 2) initial = command.arguments[1];
    Result<Login> login = co_await auth_exchange(*mechanism, initial);
    co_return login;
}

Session::Login Session::refuse_mechanism(bool is_cleartext_one) {
    const bool is_disabled = is_cleartext_one && !allows_cleartext();
    has_tried_cleartext_ |= is_disabled;
    output_.reply(is_disabled ? cleartext_disabled : pop3::Reply::err("mechanism not supported"));
    const bool is_last = ++refused_mechanisms_ >= pop3::refused_mechanisms_max;
    return is_last ? Login::too_many_failures : Login::refused;
}

void Session::list_mechanisms() {
    output_.reply(pop3::Reply::ok("mechanisms follow"));
    offered_mechanisms(service_.policy.sasl, ground()).for_each([this](SaslMechanism mechanism) {
        output_.line(name_of(mechanism));
    });
    output_.terminate();
}

Task<Result<Session::Login>> Session::auth_exchange(SaslMechanism mechanism,
                                                    std::optional<std::string_view> initial) {
    using Kind = SaslStep::Kind;
    const SaslChannel brought = channel();
    const std::unique_ptr<SaslExchange> exchange =
        start_sasl_exchange(mechanism, service_.policy.sasl, brought);
    method_ = name_of(mechanism).data();
    is_in_exchange_ = true;
    took_token_ = false;
    Instant asked = service_.ring.now();
    SaslStep step{};
    if (initial) {
        // "=" is an empty initial response (RFC 5034 §4).
        const SaslResponse first = decode_response(*initial == "=" ? "" : *initial);
        if (!first) co_return refuse_exchange(first.error());
        step = exchange->step(first->text());
    } else {
        step = exchange->start();
    }
    std::optional<Account> account;
    while (step.kind == Kind::challenge || step.kind == Kind::credentials ||
           step.kind == Kind::proof) {
        if (step.kind != Kind::challenge) {
            const Result<SaslStep> consulted = co_await consult(*exchange, step, account);
            if (!consulted) co_return refuse_now(consulted.error());
            step = *consulted;
            continue;
        }
        const Result<SaslResponse> response = co_await sasl_response(step.challenge);
        if (!response) co_return std::unexpected(response.error());
        if (!*response) co_return refuse_exchange(response->error());
        asked = service_.ring.now();
        step = exchange->step((*response)->text());
    }
    if (step.kind == Kind::authenticated) {
        is_in_exchange_ = false;
        if (!account) {
            account = exchange->take_account();
            if (took_token_) {
                service_.throttle.give_token_back(service_.throttle.key_of(peer_),
                                                  service_.ring.now());
            }
        }
        Result<Login> login = co_await open_maildrop(*account);
        co_return login;
    }
    user_ = exchange->user();
    refused_ = step.reason;
    Result<Login> refused = co_await fail_login(asked, step.challenge);
    co_return refused;
}

/// The verifier's answer to what the exchange wants to know. An account that a proof is right for
/// is put into `account`.
Task<Result<SaslStep>> Session::consult(SaslExchange& exchange, SaslStep step,
                                        std::optional<Account>& account) {
    is_in_exchange_ = false;
    user_ = exchange.user();
    if (step.kind == SaslStep::Kind::credentials) {
        Result<Credentials> found = co_await service_.verifier.credentials(step.query, origin());
        if (!found) co_return std::unexpected(found.error());
        took_token_ |= found->took_token;
        co_return exchange.supply(*std::move(found));
    }
    Result<Verdict> verdict = co_await service_.verifier.verify(step.proof, origin());
    if (!verdict) co_return std::unexpected(verdict.error());
    if (auto* verified = std::get_if<Account>(&*verdict)) {
        account = std::move(*verified);
        co_return SaslStep{.kind = SaslStep::Kind::authenticated};
    }
    SaslStep failed = exchange.reject();
    failed.reason = std::get<Rejected>(*verdict).reason;
    co_return failed;
}

Task<Result<Session::SaslResponse>> Session::sasl_response(std::string_view challenge) {
    using Status = pop3::LineReader::Status;
    is_in_exchange_ = true;
    output_.line("+ " + base64_encode(challenge));
    const Result<pop3::LineReader::Next> next =
        co_await next_line(LineKind::sasl_response, login_deadline());
    if (!next) co_return std::unexpected(next.error());
    if (next->status != Status::line) co_return SaslResponse(std::unexpect, "line too long");
    if (next->line == "*") co_return SaslResponse(std::unexpect, "authentication cancelled");
    co_return decode_response(next->line);
}

Session::SaslResponse Session::decode_response(std::string_view line) {
    std::optional<std::string> octets = base64_decode(line);
    reader_.wipe();
    if (!octets) return std::unexpected("malformed base64");
    return Secret(*std::move(octets));
}

/// Counted as a bad line.
Session::Login Session::refuse_exchange(std::string_view text) {
    ++bad_lines_;
    output_.reply(pop3::Reply::err(text));
    return Login::refused;
}

SaslGround Session::ground() const {
    const TlsEngine* tls = stream_.tls();
    if (tls == nullptr) return {};
    return {.is_encrypted = true,
            .can_bind = tls->has_channel_binding(),
            .has_certificate = tls->client_user().has_value()};
}

SaslChannel Session::channel() const {
    const TlsEngine* tls = stream_.tls();
    if (tls == nullptr) return {};
    return {.is_encrypted = true,
            .tls_exporter = tls->channel_binding(ChannelBinding::tls_exporter).value_or(""),
            .tls_unique = tls->channel_binding(ChannelBinding::tls_unique).value_or(""),
            .certificate_name = tls->client_user().value_or("")};
}

}  // namespace restante
