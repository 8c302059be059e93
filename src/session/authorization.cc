#include <fmt/format.h>
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "auth/sasl_mechanism.h"
#include "base/base64.h"
#include "base/wipe.h"
#include "net/tls_certificates.h"
#include "session/session.h"

namespace restante {
namespace {

constexpr std::size_t digest_octets = 32;  // MD5 in hex (RFC 1939 §7)
constexpr pop3::Reply wrong_credentials =
    pop3::Reply::err(pop3::ResponseCode::auth, "authentication failed");

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
    output_.limit(login_deadline());
    // One variable, in the frame that every connection that waits has.
    Result<std::optional<Departure>> left = co_await begin();
    while (left && !*left) {
        const Result<pop3::LineReader::Next> line =
            co_await next_line(LineKind::command, login_deadline());
        if (line) {
            left = co_await obey(*line);
        } else {
            left = std::unexpected(line.error());
        }
    }
    if (!left) co_return std::unexpected(left.error());
    co_return **left;
}

/// TLS where it comes first, then the greeting.
Task<Result<std::optional<Departure>>> Session::begin() {
    Result<void> secured;
    if (tls_mode_ == TlsMode::required) secured = co_await secure();
    if (!secured) co_return std::unexpected(secured.error());
    greet();
    enter(Phase::authentication);
    co_return std::nullopt;
}

// What only a command needs is not in the frame that every connection that waits has.
Task<Result<std::optional<Departure>>> Session::obey(const pop3::LineReader::Next& line) {
    const std::optional<pop3::Command> command = parse(line, pop3::State::authorization);
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
    co_return std::nullopt;
}

Task<Result<void>> Session::secure() {
    enter(Phase::tls);
    Result<void> secured = co_await stream_.secure(service_.certificates->current(),
                                                   service_.policy.kernel_tls, login_deadline());
    enter(Phase::authentication);
    co_return secured;
}

/// STLS (RFC 2595 §4). What came behind it was not protected, whoever wrote it: it ends the
/// connection. What was said before is forgotten.
Task<Result<void>> Session::start_tls() {
    if (tls_mode_ != TlsMode::starttls || is_secure()) {
        output_.reply(pop3::Reply::err(is_secure() ? "TLS is in use" : "TLS is not offered"));
        co_return Result<void>();
    }
    if (reader_.has_buffered()) {
        co_return std::unexpected(Error{ErrorKind::peer_closed, 0, "octets behind STLS"});
    }
    output_.reply(pop3::Reply::ok("begin TLS"));
    Result<void> done = co_await output_.send(false);
    user_.clear();
    user_given_ = false;
    if (done) done = co_await secure();
    co_return done;
}

/// "+OK POP3 ready", and where APOP is on a timestamp that no other session ever had (RFC 1939 §7).
void Session::greet() {
    if (!service_.policy.sasl.apop) return output_.reply(pop3::Reply::ok("POP3 ready"));
    std::array<std::byte, 8> random;
    service_.ring.fill_random(random);
    std::uint64_t number;
    std::memcpy(&number, random.data(), sizeof number);
    timestamp_ = std::make_unique<const std::string>(fmt::format(
        "<{:016x}.{}@{}>", number, service_.ring.wall_time().nanoseconds / 1'000'000'000,
        service_.policy.sasl.hostname));
    output_.line("+OK POP3 ready " + *timestamp_);
}

Task<Result<Session::Login>> Session::try_login(pop3::Command command) {
    Result<Login> login = Login::refused;
    if (command.verb != pop3::Verb::pass) user_given_ = false;  // PASS comes immediately after USER
    switch (command.verb) {
        case pop3::Verb::capa: capabilities(); break;
        case pop3::Verb::stls: {
            const Result<void> secured = co_await start_tls();
            if (!secured) login = std::unexpected(secured.error());
            break;
        }
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
    if (!allows_cleartext()) {
        has_tried_cleartext_ = true;
        return output_.reply(cleartext_disabled);
    }
    user_ = name;
    user_given_ = true;
    output_.reply(pop3::Reply::ok());
}

Task<Result<Session::Login>> Session::pass(std::string_view password) {
    if (!allows_cleartext() || !user_given_) {
        output_.reply(allows_cleartext() ? pop3::Reply::err("USER first") : cleartext_disabled);
        co_return Login::refused;
    }
    user_given_ = false;
    Result<Login> login = co_await log_in(PasswordProof{user_, password}, "PLAIN");
    co_return login;
}

Task<Result<Session::Login>> Session::apop(std::string_view name, std::string_view digest) {
    if (!service_.policy.sasl.apop) {
        output_.reply(pop3::Reply::err("APOP is not offered"));
        co_return Login::refused;
    }
    user_ = name;
    if (!is_digest(digest)) digest = {};  // matches nobody's, and takes as long to find out
    Result<Login> login = co_await log_in(ApopProof{user_, *timestamp_, digest}, "APOP");
    co_return login;
}

Task<Result<Session::Login>> Session::log_in(Proof proof, const char* method) {
    method_ = method;
    const Instant asked = service_.ring.now();
    const Result<Verdict> verdict = co_await service_.verifier.verify(proof, origin());
    if (!verdict) co_return refuse_now(verdict.error());
    Result<Login> login = Login::refused;
    if (const auto* account = std::get_if<Account>(&*verdict)) {
        login = co_await open_maildrop(*account);
    } else {
        refused_ = std::get<Rejected>(*verdict).reason;
        login = co_await fail_login(asked);
    }
    co_return login;
}

/// The user database cannot tell.
Session::Login Session::refuse_now(const Error& error) {
    refused_ = "user database not available";
    const bool is_permanent = error.kind == ErrorKind::broken;
    output_.reply(
        pop3::Reply::err(is_permanent ? pop3::ResponseCode::sys_perm : pop3::ResponseCode::sys_temp,
                         "cannot log in now"));
    return Login::refused;
}

/// Who opens another's maildrop is to be found in the log.
void Session::note_master(std::string_view master) {
    if (master.empty() || !service_.log.is_enabled(LogLevel::info)) return;
    service_.log.write(
        LogLevel::info,
        fmt::format("pop3-login: Master user <{}> acts as user=<{}>, method={}, {}, session=<{}>",
                    log_escaped(master), log_escaped(user_), method_, addresses(), id_));
}

/// The lock comes with it: +OK only where the maildrop is this session's alone (RFC 1939 §4), and
/// in time.
Task<Result<Session::Login>> Session::open_maildrop(const Account& account) {
    if (service_.ring.now() >= login_deadline()) {
        co_return std::unexpected(Error{ErrorKind::timed_out, 0, "deadline"});
    }
    user_ = account.name;
    note_master(account.master);
    std::optional<Tally::Place> place = place_of(account);
    if (!place) {
        refused_ = "too many sessions of the user";
        output_.reply(pop3::Reply::err(pop3::ResponseCode::in_use, "too many sessions"));
        co_return Login::refused;
    }
    enter(Phase::open);
    OpenedMaildrop opened =
        co_await service_.store.open(MaildropOwner{user_, account.home, account.maildrop, id_});
    if (opened) {
        visit_ = std::make_unique<Visit>(std::move(*opened), *std::move(place));
        report_login();
        output_.reply(pop3::Reply::ok("logged in"));
        co_return Login::done;
    }
    enter(Phase::authentication);
    co_return refuse_opening(opened.error());
}

/// Nothing where all that the user may have are under way, in whatever maildrops.
std::optional<Tally::Place> Session::place_of(const Account& account) {
    const std::uint32_t own = account.limits.sessions;
    const std::uint32_t most = own != 0 ? own : service_.policy.sessions_per_user;
    if (most == 0) return Tally::Place();
    const std::uint64_t user =
        std::to_underlying(service_.throttle.key_of(std::string_view(account.name)));
    return service_.user_sessions.take(user, most);
}

Session::Login Session::refuse_opening(OpenRefusal refusal) {
    refused_ = refusal == OpenRefusal::in_use ? "maildrop in use" : "maildrop not available";
    switch (refusal) {
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
    return Login::refused;
}

/// The reply comes so long after the password as the throttle says, however long the verification
/// took: its time tells nothing.
Task<Result<Session::Login>> Session::fail_login(Instant asked, std::string_view last_words) {
    const Duration delay = service_.throttle.note_failure(
        service_.throttle.key_of(peer_), service_.throttle.key_of(std::string_view(user_)),
        failed_logins_, service_.ring.now());
    ++failed_logins_;
    is_in_exchange_ = false;
    const Result<void> is_there = co_await delay_reply(std::min(asked + delay, login_deadline()));
    if (!is_there) co_return std::unexpected(is_there.error());
    if (!last_words.empty()) {
        output_.line("+ " + base64_encode(last_words));
        const Result<pop3::LineReader::Next> answer =
            co_await next_line(LineKind::sasl_response, login_deadline());
        if (!answer) co_return std::unexpected(answer.error());
    }
    output_.reply(wrong_credentials);
    co_return failed_logins_ >= pop3::failed_logins_max ? Login::too_many_failures : Login::refused;
}

/// A client that goes meanwhile is not waited for: guesses that are given up at once must not pile
/// up as connections. One that has said more (QUIT, say) may have ended its half only.
Task<Result<void>> Session::delay_reply(Instant until) {
    reader_.wipe();  // the password
    if (!reader_.has_buffered() && !stream_.has_input_pending()) {
        const Received got = co_await stream_.receive(until);
        if (got.result == -ETIMEDOUT) co_return Result<void>();
        if (got.result <= 0) co_return std::unexpected(receive_error(got.result));
        feed(got.octets());
    }
    co_await stream_.pause(until);
    co_return Result<void>();
}

}  // namespace restante
