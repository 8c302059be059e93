#include "session/session.h"

#include <algorithm>
#include <cstring>

#include "base/base64.h"

namespace restante {
namespace {

constexpr std::size_t id_random_octets = 12;  // 16 characters of base64
/// How long the last reply of a session may take when the server is stopping.
constexpr Duration last_words_max = std::chrono::seconds(1);

const char* refusal_text(pop3::CommandError error) {
    switch (error) {
        case pop3::CommandError::unknown: return "unknown command";
        case pop3::CommandError::wrong_state: return "not in this state";
        case pop3::CommandError::arguments: return "wrong arguments";
        case pop3::CommandError::octets: return "malformed line";
    }
    ASSERT(!"a CommandError");
}

}  // namespace

Session::Session(const SessionService& service, Handle socket, const SocketAddress& peer,
                 const SocketAddress& local)
    : service_(service),
      stream_(service.ring, std::move(socket)),
      output_(service.ring, service.buffers, stream_, service.policy.idle_timeout),
      peer_(peer),
      local_(local),
      started_(service.ring.now()),
      phase_started_(started_),
      running_(run()) {
    std::array<std::byte, id_random_octets> random;
    service.ring.fill_random(random);
    const std::string id =
        base64_encode({reinterpret_cast<const char*>(random.data()), random.size()});
    ASSERT(id.size() < id_octets_max);
    std::memcpy(id_, id.c_str(), id.size() + 1);
}

void Session::start(void (*on_end)(void*), void* context) { running_.start(on_end, context); }

void Session::interrupt() {
    interrupted_ = true;
    stream_.interrupt();
}

/// One connection, greeting to close (RFC 1939 §3). UPDATE is reached through QUIT only: a lost
/// connection, a timeout or a shutdown removes nothing (RFC 1939 §6).
Task<void> Session::run() {
    Result<Departure> left = co_await authorization();  // opens and locks the maildrop on success
    if (left && *left == Departure::authenticated) left = co_await transaction();
    if (left && *left == Departure::quit) left = co_await update();
    maildrop_.reset();  // the lock is free before the last reply is sent
    if (left) {
        const Duration patience =
            interrupted_ ? last_words_max : Duration(service_.policy.idle_timeout);
        const Result<void> sent = co_await output_.send_last(service_.ring.now() + patience);
        if (!sent && *left != Departure::update_incomplete) left = std::unexpected(sent.error());
    }
    enter(Phase::closed);
    report_end(left);
    if (left && (*left == Departure::bad_commands || *left == Departure::failed_logins)) {
        co_await stream_.close_lingering();
    } else {
        stream_.close();
    }
}

Task<Result<pop3::LineReader::Next>> Session::next_line(LineKind kind, Instant deadline) {
    using Status = pop3::LineReader::Status;
    for (;;) {
        // Here, because a client that never lets us wait would never be interrupted or late.
        if (interrupted_) co_return std::unexpected(Error{ErrorKind::timed_out, 0, "shutdown"});
        if (service_.ring.now() >= deadline) {
            co_return std::unexpected(Error{ErrorKind::timed_out, 0, "deadline"});
        }
        const pop3::LineReader::Next next = reader_.next(line_octets_max(kind));
        const bool is_complete = next.status != Status::incomplete;
        if (is_complete && output_.has_room_for_reply()) co_return next;
        std::span<const char> small;
        if (!is_complete) small = output_.take_small();
        if (small.empty()) {
            const Result<void> sent = co_await output_.send(false);
            if (!sent) co_return std::unexpected(sent.error());
        }
        if (is_complete) co_return next;
        // One await: each has its place in the frame that every idle session holds.
        const std::int64_t got = co_await stream_.exchange(small, reader_.space(), deadline);
        if (got == 0) co_return std::unexpected(Error{ErrorKind::peer_closed, 0, "receive"});
        if (got < 0) {
            co_return std::unexpected(error_of_errno(static_cast<int>(-got), "receive"));
        }
        reader_.feed(static_cast<std::size_t>(got));
    }
}

/// An AUTH command may bring a token along (RFC 5034 §4).
std::size_t Session::line_octets_max(LineKind kind) const {
    constexpr std::string_view keyword = "AUTH ";
    const std::string_view begun = reader_.buffered().substr(0, keyword.size());
    const auto is_same = [](char a, char b) { return (a & ~0x20) == (b & ~0x20); };
    const bool is_auth = !is_logged_in() && std::ranges::equal(begun, keyword, is_same);
    return kind == LineKind::sasl_response || is_auth ? pop3::auth_line_octets_max
                                                      : pop3::command_line_octets_max;
}

std::optional<pop3::Command> Session::parse(const pop3::LineReader::Next& line, pop3::State state) {
    using Status = pop3::LineReader::Status;
    pop3::Reply refusal = pop3::Reply::err("line too long");
    if (line.status == Status::line) {
        const pop3::ParsedCommand parsed = pop3::parse_command(line.line, state);
        if (parsed.command) {
            if (state == pop3::State::transaction) bad_lines_ = 0;  // counted in a row
            return parsed.command;
        }
        refusal = pop3::Reply::err(refusal_text(parsed.error));
    }
    ++bad_lines_;
    if (line.status == Status::flooded) bad_lines_ = pop3::bad_lines_after_login_max;
    if (has_too_many_bad_lines(state)) refusal = pop3::Reply::err("too many bad commands");
    output_.reply(refusal);
    return std::nullopt;
}

bool Session::has_too_many_bad_lines(pop3::State state) const {
    return bad_lines_ >= (state == pop3::State::authorization ? pop3::bad_lines_before_login_max
                                                              : pop3::bad_lines_after_login_max);
}

/// CAPA (RFC 2449 §5): the same in both states. USER and SASL only where they would be let in.
void Session::capabilities() {
    const SessionPolicy& policy = service_.policy;
    output_.reply(pop3::Reply::ok("capabilities follow"));
    output_.line("TOP");
    output_.line("UIDL");
    if (policy.allow_cleartext) {
        output_.line("USER");
        std::string mechanisms = "SASL";
        if (policy.plain) mechanisms += " PLAIN";
        if (policy.login) mechanisms += " LOGIN";
        if (policy.plain || policy.login) output_.line(mechanisms);
    }
    output_.line("RESP-CODES");
    output_.line("PIPELINING");
    output_.line("AUTH-RESP-CODE");
    output_.line("EXPIRE NEVER");
    output_.line("IMPLEMENTATION restante");
    output_.terminate();
}

void Session::enter(Phase phase) {
    const Instant now = service_.ring.now();
    phase_times_[static_cast<std::size_t>(phase_)] += now - phase_started_;
    phase_ = phase;
    phase_started_ = now;
    probe_phase(id_, phase);
}

}  // namespace restante
