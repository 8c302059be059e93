#include <fmt/format.h>
#include <algorithm>
#include <cstring>

#include "auth/sasl.h"
#include "base/base64.h"
#include "base/wipe.h"
#include "session/session.h"

namespace restante {
namespace {

constexpr std::size_t digest_octets = 32;  // MD5 in hex (RFC 1939 §7)
constexpr pop3::Reply wrong_credentials =
    pop3::Reply::err(pop3::ResponseCode::auth, "authentication failed");
constexpr pop3::Reply cleartext_disabled =
    pop3::Reply::err(pop3::ResponseCode::auth, "cleartext authentication is disabled");

bool is_digest(std::string_view text) {
    const auto is_lower_hex = [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
    };
    return text.size() == digest_octets && std::ranges::all_of(text, is_lower_hex);
}

}  // namespace

/// RFC 1939 §4: until somebody is known and has the maildrop to themselves. The time for it is
/// absolute: a trickle of commands does not extend it.
Task<Result<Departure>> Session::authorization() {
    greet();
    enter(Phase::authentication);
    login_deadline_ = started_ + service_.policy.login_timeout;
    output_.limit(login_deadline_);
    for (;;) {
        const Result<pop3::LineReader::Next> line =
            co_await next_line(LineKind::command, login_deadline_);
        if (!line) co_return std::unexpected(line.error());
        const std::optional<pop3::Command> command = parse(*line, pop3::State::authorization);
        if (command && command->verb == pop3::Verb::quit) {
            output_.reply(pop3::Reply::ok("bye"));
            co_return Departure::quit_early;
        }
        Result<Login> login = Login::refused;
        if (command) login = co_await try_login(*command);
        if (!login) co_return std::unexpected(login.error());
        if (*login == Login::done) co_return Departure::authenticated;
        if (*login == Login::too_many_failures) co_return Departure::failed_logins;
        if (has_too_many_bad_lines(pop3::State::authorization)) co_return Departure::bad_commands;
    }
}

/// "+OK POP3 ready", and where APOP is on a timestamp that no other session ever had (RFC 1939 §7).
void Session::greet() {
    if (!service_.policy.apop) return output_.reply(pop3::Reply::ok("POP3 ready"));
    std::array<std::byte, 8> random;
    service_.ring.fill_random(random);
    std::uint64_t number;
    std::memcpy(&number, random.data(), sizeof number);
    timestamp_ = fmt::format("<{:016x}.{}@{}>", number,
                             service_.ring.wall_time().nanoseconds / 1'000'000'000,
                             service_.policy.hostname);
    output_.line("+OK POP3 ready " + timestamp_);
}

Task<Result<Session::Login>> Session::try_login(pop3::Command command) {
    Result<Login> login = Login::refused;
    if (command.verb != pop3::Verb::pass) user_given_ = false;  // PASS comes immediately after USER
    switch (command.verb) {
        case pop3::Verb::capa: capabilities(); break;
        case pop3::Verb::user: user(command.arguments[0]); break;
        case pop3::Verb::pass: login = co_await pass(command.arguments[0]); break;
        case pop3::Verb::apop:
            login = co_await apop(command.arguments[0], command.arguments[1]);
            break;
        case pop3::Verb::auth: login = co_await auth(command); break;
        default: ASSERT(!"a command of AUTHORIZATION");
    }
    reader_.wipe();
    co_return login;
}

/// USER (RFC 1939 §7): never tells whether there is such a user.
void Session::user(std::string_view name) {
    if (!service_.policy.allow_cleartext) return output_.reply(cleartext_disabled);
    user_ = name;
    user_given_ = true;
    output_.reply(pop3::Reply::ok());
}

Task<Result<Session::Login>> Session::pass(std::string_view password) {
    if (!service_.policy.allow_cleartext || !user_given_) {
        output_.reply(service_.policy.allow_cleartext ? pop3::Reply::err("USER first")
                                                      : cleartext_disabled);
        co_return Login::refused;
    }
    user_given_ = false;
    Result<Login> login = co_await log_in(PasswordProof{user_, password}, "PLAIN");
    co_return login;
}

Task<Result<Session::Login>> Session::apop(std::string_view name, std::string_view digest) {
    if (!service_.policy.apop) {
        output_.reply(pop3::Reply::err("APOP is not offered"));
        co_return Login::refused;
    }
    user_ = name;
    if (!is_digest(digest)) digest = {};  // matches nobody's, and takes as long to find out
    Result<Login> login = co_await log_in(ApopProof{user_, timestamp_, digest}, "APOP");
    co_return login;
}

bool Session::offers(SaslMechanism mechanism) const {
    const SessionPolicy& policy = service_.policy;
    return policy.allow_cleartext &&
           (mechanism == SaslMechanism::plain ? policy.plain : policy.login);
}

/// AUTH (RFC 5034 §4); alone, as Outlook sends it, it lists the mechanisms.
Task<Result<Session::Login>> Session::auth(pop3::Command command) {
    if (command.argument_count == 0) {
        list_mechanisms();
        co_return Login::refused;
    }
    const std::optional<SaslMechanism> mechanism = find_sasl_mechanism(command.arguments[0]);
    if (!mechanism || !offers(*mechanism)) {
        const bool is_disabled = mechanism && !service_.policy.allow_cleartext;
        output_.reply(is_disabled ? cleartext_disabled
                                  : pop3::Reply::err("mechanism not supported"));
        const bool is_last = ++refused_mechanisms_ >= pop3::refused_mechanisms_max;
        co_return is_last ? Login::too_many_failures : Login::refused;
    }
    std::optional<std::string_view> initial;
    if (command.argument_count == 2) initial = command.arguments[1];
    Result<Login> login = co_await auth_exchange(*mechanism, initial);
    co_return login;
}

void Session::list_mechanisms() {
    output_.reply(pop3::Reply::ok("mechanisms follow"));
    if (offers(SaslMechanism::plain)) output_.line("PLAIN");
    if (offers(SaslMechanism::login)) output_.line("LOGIN");
    output_.terminate();
}

Task<Result<Session::Login>> Session::auth_exchange(SaslMechanism mechanism,
                                                    std::optional<std::string_view> initial) {
    SaslExchange exchange(mechanism);
    SaslStep step = exchange.start();
    std::optional<std::string_view> response = initial;
    if (initial == "=") response = "";  // an empty initial response (RFC 5034 §4)
    for (;;) {
        if (!response) {
            output_.line("+ " + base64_encode(step.challenge));
            const Result<pop3::LineReader::Next> line =
                co_await next_line(LineKind::sasl_response, login_deadline_);
            if (!line) co_return std::unexpected(line.error());
            if (line->status != pop3::LineReader::Status::line || line->line == "*") {
                co_return refuse_exchange(line->status == pop3::LineReader::Status::line
                                              ? "authentication cancelled"
                                              : "line too long");
            }
            response = line->line;
        }
        std::optional<std::string> decoded = base64_decode(*response);
        reader_.wipe();
        if (!decoded) co_return refuse_exchange("malformed base64");
        const Secret octets(std::move(*decoded));
        response.reset();
        step = exchange.step(octets.text());
        if (step.kind == SaslStep::Kind::challenge) continue;
        Result<Login> login = Login::refused;
        if (step.kind == SaslStep::Kind::malformed) {
            login = co_await fail_login(service_.ring.now());
        } else {
            user_ = step.proof.user;
            login =
                co_await log_in(step.proof, mechanism == SaslMechanism::plain ? "PLAIN" : "LOGIN");
        }
        co_return login;
    }
}

/// Counted as a bad line.
Session::Login Session::refuse_exchange(std::string_view text) {
    ++bad_lines_;
    output_.reply(pop3::Reply::err(text));
    return Login::refused;
}

Task<Result<Session::Login>> Session::log_in(Proof proof, const char* method) {
    method_ = method;
    const Instant asked = service_.ring.now();
    const Result<Verdict> verdict = co_await service_.verifier.verify(proof);
    Result<Login> login = Login::refused;
    if (!verdict) {
        refused_ = "user database not available";
        const bool is_permanent = verdict.error().kind == ErrorKind::broken;
        output_.reply(pop3::Reply::err(
            is_permanent ? pop3::ResponseCode::sys_perm : pop3::ResponseCode::sys_temp,
            "cannot log in now"));
    } else if (const auto* account = std::get_if<Account>(&*verdict)) {
        login = co_await open_maildrop(*account);
    } else {
        login = co_await fail_login(asked);
    }
    co_return login;
}

/// The lock comes with it: +OK only where the maildrop is this session's alone (RFC 1939 §4).
Task<Result<Session::Login>> Session::open_maildrop(const Account& account) {
    user_ = account.name;
    enter(Phase::open);
    OpenedMaildrop opened = co_await service_.store.open(
        MaildropOwner{account.name, account.home, account.maildrop, id_});
    if (opened) {
        maildrop_ = std::move(*opened);
        maildrop_octets_ = maildrop_->octets();
        marks_.emplace(maildrop_->count());
        report_login();
        output_.reply(pop3::Reply::ok("logged in"));
        co_return Login::done;
    }
    enter(Phase::authentication);
    refused_ = opened.error() == OpenRefusal::in_use ? "maildrop in use" : "maildrop not available";
    switch (opened.error()) {
        case OpenRefusal::in_use:
            output_.reply(pop3::Reply::err(pop3::ResponseCode::in_use, "maildrop is in use"));
            break;
        case OpenRefusal::temporary:
            output_.reply(
                pop3::Reply::err(pop3::ResponseCode::sys_temp, "maildrop is not available"));
            break;
        case OpenRefusal::permanent:
            output_.reply(pop3::Reply::err(pop3::ResponseCode::sys_perm, "maildrop is not usable"));
            break;
    }
    co_return Login::refused;
}

/// The reply comes failed_delay after the password, doubled with every failure of this connection,
/// however long the verification took: its time tells nothing.
Task<Result<Session::Login>> Session::fail_login(Instant asked) {
    const SessionPolicy& policy = service_.policy;
    const Duration delay = std::min(policy.failed_delay * (std::int64_t{1} << failed_logins_),
                                    std::max(policy.failed_delay, policy.failed_delay_max));
    ++failed_logins_;
    co_await stream_.pause(std::min(asked + delay, login_deadline_));
    output_.reply(wrong_credentials);
    co_return failed_logins_ >= pop3::failed_logins_max ? Login::too_many_failures : Login::refused;
}

}  // namespace restante
