// What the log says of a session, in the form that ban filters and log readers know from Dovecot.
#include <fmt/compile.h>

#include "net/tls_engine.h"
#include "session/session.h"

namespace restante {
namespace {

/// Fewer failures before a login are a typo, or a client that tries one mechanism after another.
constexpr std::uint16_t guesses_min = 3;

/// Formatted on the stack, whose 500 octets hold almost every line, and by a `format` that was
/// compiled: 5,000 instructions less a poll.
template <class Format, class... Values>
void write(Log& log, LogLevel level, const Format& format, const Values&... values) {
    fmt::memory_buffer line;
    fmt::format_to(fmt::appender(line), format, values...);
    log.write(level, {line.data(), line.size()});
}

}  // namespace

std::string Session::addresses() const {
    std::string text = fmt::format(FMT_COMPILE("rip={}, lip={}"), peer_.host(), local_.host());
    const TlsEngine* tls = stream_.tls();
    if (tls == nullptr) return text;
    if (!tls->failure().empty()) return text + ", " + tls->failure();
    return text + (tls->is_established() ? ", TLS" : ", TLS handshaking");
}

void Session::report_login() {
    if (!service_.log.is_enabled(LogLevel::info)) return;
    // Guesses count for ban filters also where a right password follows: somebody's own.
    if (failed_logins_ >= guesses_min) {
        write(
            service_.log, LogLevel::info,
            FMT_COMPILE("pop3-login: Aborted login (auth failed, {} attempts in {} secs): user=<>, "
                        "{}, session=<{}>"),
            failed_logins_, seconds_since_start(), addresses(), id_);
    }
    write(service_.log, LogLevel::info,
          FMT_COMPILE("pop3-login: Login: user=<{}>, method={}, {}, mpid={}, session=<{}>"),
          log_escaped(user_), method_, addresses(), process_id(), id_);
}

void Session::report_end(const Result<Departure>& end) {
    if (service_.log.is_enabled(LogLevel::info)) {
        if (visit_) {
            report_session(end);
        } else {
            service_.log.write(LogLevel::info, login_report(end));
        }
    }
    if (!phase_times_) return;
    static constexpr const char* names[phases] = {"connect",  "tls",    "authentication", "open",
                                                  "commands", "update", "closed"};
    std::string line =
        fmt::format("pop3({})<{}><{}>: phases", log_escaped(user_), process_id(), id_);
    for (std::size_t i = 0; i < phases; ++i) {
        const Duration spent = phase_times_->spent[i];
        if (spent.count() > 0) line += fmt::format(" {}={}us", names[i], spent.count() / 1000);
    }
    service_.log.write(LogLevel::debug, line);
}

std::int64_t Session::seconds_since_start() const {
    return std::chrono::duration_cast<std::chrono::seconds>(service_.ring.now() - started_).count();
}

/// Of a connection that did not log in. Ban filters know these words, and which of them tell of an
/// attempt; an own word counts for nothing with them.
std::string Session::login_report(const Result<Departure>& end) const {
    const std::int64_t seconds = seconds_since_start();
    std::string reason;
    if (failed_logins_ > 0) {
        const bool was_right = refused_ != nullptr;  // once: the reason why it did not help
        reason = fmt::format("{}{} (auth failed, {} attempts in {} secs)", was_right ? ": " : "",
                             was_right ? refused_ : "", failed_logins_, seconds);
    } else if (has_tried_cleartext_) {
        reason = " (tried to use disallowed plaintext auth)";
    } else if (end && *end == Departure::failed_logins) {
        reason = " (tried to use disabled SASL auth)";
    } else if (refused_ != nullptr) {
        reason = fmt::format(" ({})", refused_);
    } else if (end && *end == Departure::bad_commands) {
        reason = " (too many bad commands)";
    } else if (interrupted_) {
        reason = " (server shutting down)";
    } else if (is_in_exchange_) {
        reason = fmt::format(" (client didn't finish SASL auth, waited {} secs)", seconds);
    } else {
        reason = fmt::format(" (no auth attempts in {} secs)", seconds);
    }
    return fmt::format("pop3-login: Disconnected{}: user=<{}>, {}{}{}{}, session=<{}>", reason,
                       log_escaped(user_), *method_ != '\0' ? "method=" : "", method_,
                       *method_ != '\0' ? ", " : "", addresses(), id_);
}

void Session::report_session(const Result<Departure>& end) const {
    const char* reason = "Logged out";
    if (!end) {
        reason =
            end.error().kind == ErrorKind::peer_closed ? "Connection closed" : "Internal error";
        if (end.error().kind == ErrorKind::timed_out)
            reason = interrupted_ ? "Server shutting down" : "Inactivity";
    } else if (*end == Departure::bad_commands) {
        reason = "Too many bad commands";
    } else if (*end == Departure::update_incomplete) {
        reason = "Logged out, some deleted messages not removed";
    }
    const bool removed = end && *end == Departure::logged_out;
    write(
        service_.log, LogLevel::info,
        FMT_COMPILE("pop3({})<{}><{}>: Disconnected: {} top={}/{}, retr={}/{}, del={}/{}, size={}"),
        log_escaped(user_), process_id(), id_, reason, visit_->topped.count,
        visit_->topped.octets.value(), visit_->retrieved.count, visit_->retrieved.octets.value(),
        removed ? visit_->marks.marked_count() : 0, visit_->marks.count(),
        visit_->maildrop_octets.value());
}

void Session::report_message(pop3::MessageNumber number, const Error& error) {
    const bool is_peer = error.kind == ErrorKind::peer_closed || error.kind == ErrorKind::timed_out;
    if (is_peer) return;  // the end of the session tells it
    const LogLevel level = error.kind == ErrorKind::not_found ? LogLevel::info : LogLevel::error;
    if (!service_.log.is_enabled(level)) return;
    service_.log.write(
        level, fmt::format("pop3({})<{}><{}>: message {} (unique-id {}): {}", log_escaped(user_),
                           process_id(), id_, number.value(),
                           visit_->maildrop->message(number.index()).unique_id, describe(error)));
}

}  // namespace restante
