// What the log says of a session, in the form that ban filters and log readers know from Dovecot.
#include <fmt/format.h>

#include "session/session.h"

namespace restante {

std::string Session::addresses() const {
    return fmt::format("rip={}, lip={}", peer_.host(), local_.host());
}

void Session::report_login() {
    if (!service_.log.is_enabled(LogLevel::info)) return;
    service_.log.write(
        LogLevel::info,
        fmt::format("pop3-login: Login: user=<{}>, method={}, {}, mpid={}, session=<{}>",
                    log_escaped(user_), method_, addresses(), process_id(), id_));
}

void Session::report_end(const Result<Departure>& end) {
    if (service_.log.is_enabled(LogLevel::info)) {
        service_.log.write(LogLevel::info, marks_ ? session_report(end) : login_report(end));
    }
    if (!service_.log.is_enabled(LogLevel::debug)) return;
    static constexpr const char* names[phases] = {"connect",  "tls",    "authentication", "open",
                                                  "commands", "update", "closed"};
    std::string line =
        fmt::format("pop3({})<{}><{}>: phases", log_escaped(user_), process_id(), id_);
    for (std::size_t i = 0; i < phases; ++i) {
        if (phase_times_[i].count() > 0)
            line += fmt::format(" {}={}us", names[i], phase_times_[i].count() / 1000);
    }
    service_.log.write(LogLevel::debug, line);
}

/// Of a connection that did not log in.
std::string Session::login_report(const Result<Departure>& end) const {
    const auto seconds =
        std::chrono::duration_cast<std::chrono::seconds>(service_.ring.now() - started_).count();
    std::string reason;
    if (failed_logins_ > 0) {
        reason = fmt::format("auth failed, {} attempts in {} secs", failed_logins_, seconds);
    } else if (end && *end == Departure::bad_commands) {
        reason = "too many bad commands";
    } else if (refused_ != nullptr) {
        reason = refused_;
    } else {
        reason = fmt::format("no auth attempts in {} secs", seconds);
    }
    return fmt::format("pop3-login: Disconnected ({}): user=<{}>, {}{}{}{}, session=<{}>", reason,
                       log_escaped(user_), *method_ != '\0' ? "method=" : "", method_,
                       *method_ != '\0' ? ", " : "", addresses(), id_);
}

std::string Session::session_report(const Result<Departure>& end) const {
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
    return fmt::format(
        "pop3({})<{}><{}>: Disconnected: {} top={}/{}, retr={}/{}, del={}/{}, size={}",
        log_escaped(user_), process_id(), id_, reason, topped_.count, topped_.octets.value(),
        retrieved_.count, retrieved_.octets.value(), removed ? marks_->marked_count() : 0,
        marks_->count(), maildrop_octets_.value());
}

void Session::report_message(pop3::MessageNumber number, const Error& error) {
    const bool is_peer = error.kind == ErrorKind::peer_closed || error.kind == ErrorKind::timed_out;
    if (is_peer) return;  // the end of the session tells it
    const LogLevel level = error.kind == ErrorKind::not_found ? LogLevel::info : LogLevel::error;
    if (!service_.log.is_enabled(level)) return;
    service_.log.write(
        level, fmt::format("pop3({})<{}><{}>: message {} (unique-id {}): {}", log_escaped(user_),
                           process_id(), id_, number.value(),
                           maildrop_->message(number.index()).unique_id, describe(error)));
}

}  // namespace restante
