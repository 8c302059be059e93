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
                 const SocketAddress& local, TlsMode tls)
    : service_(service),
      stream_(std::move(socket)),
      output_(service.buffers, stream_, service.policy.idle_timeout),
      peer_(peer),
      local_(local),
      tls_mode_(tls),
      started_(service.ring.now()),
      running_(run()) {
    std::array<std::byte, id_random_octets> random;
    service.ring.fill_random(random);
    const std::string id =
        base64_encode({reinterpret_cast<const char*>(random.data()), random.size()});
    ASSERT(id.size() < id_octets_max);
    std::memcpy(id_, id.c_str(), id.size() + 1);
    if (service.log.is_enabled(LogLevel::debug)) {
        phase_times_ = std::make_unique<PhaseTimes>(PhaseTimes{.entered = started_});
    }
}

void Session::start(void (*on_end)(void*), void* context) { running_.start(on_end, context); }

void Session::interrupt() {
    interrupted_ = true;
    stream_.interrupt();
}

/// One connection, greeting to close (RFC 1939 §3).
Task<void> Session::run() {
    Result<Departure> left = co_await authorization();  // opens and locks the maildrop on success
    if (left && *left == Departure::authenticated) left = co_await transaction();
    co_await end(left);
}

/// UPDATE is reached through QUIT only: a lost connection, a timeout or a shutdown removes nothing
/// (RFC 1939 §6). All that is needed only now is not in the frame that every idle session has.
Task<void> Session::end(const Result<Departure>& why) {
    Result<Departure> left = why;
    if (left && *left == Departure::quit) left = co_await update();
    if (visit_) {  // the lock, and the user's place, are free before the last reply is sent
        visit_->maildrop.reset();
        visit_->place = Tally::Place();
    }
    if (left) {
        const Duration patience =
            interrupted_ ? last_words_max : Duration(service_.policy.idle_timeout);
        const Result<void> sent = co_await output_.send_last(service_.ring.now() + patience);
        if (!sent && *left != Departure::update_incomplete) left = std::unexpected(sent.error());
    }
    enter(Phase::closed);
    report_end(left);
    const bool was_sent_away =
        left && (*left == Departure::bad_commands || *left == Departure::failed_logins);
    if (was_sent_away || stream_.is_broken()) {
        co_await stream_.close_lingering();
    } else {
        stream_.close();
    }
}

std::optional<Request> Session::LineSteps::end(Result<pop3::LineReader::Next> result) {
    result_ = result;
    has_ended_ = true;
    return std::nullopt;
}

std::optional<Request> Session::LineSteps::next() {
    if (has_ended_) return std::nullopt;
    // Here, because a client that never lets us wait would never be interrupted or late.
    if (session_.interrupted_)
        return end(std::unexpected(Error{ErrorKind::timed_out, 0, "shutdown"}));
    if (session_.service_.ring.now() >= deadline_)
        return end(std::unexpected(Error{ErrorKind::timed_out, 0, "deadline"}));
    const Result<pop3::LineReader::Next> next = session_.received_line(kind_);
    if (!next) return end(next);
    Output& output = session_.output_;
    const bool is_complete = next->status != pop3::LineReader::Status::incomplete;
    if (is_complete) end(*next);  // once the replies before it have left, if they must
    if (is_complete && output.has_room_for_reply()) return std::nullopt;
    std::span<const char> small;
    if (!is_complete && session_.stream_.can_exchange()) small = output.take_small();
    is_sending_ = small.empty() && !output.is_empty();
    if (is_sending_) return output.sending();
    return session_.stream_.exchange(small, deadline_);
}

void Session::LineSteps::take(const Operation& ended) {
    const std::int64_t result = ended.result;
    if (is_sending_) {
        const Result<void> sent = session_.output_.sent(result);
        if (!sent) end(std::unexpected(sent.error()));
    } else if (result > 0) {
        session_.feed(ended.received());
    } else {
        end(std::unexpected(receive_error(result)));
    }
}

Error Session::receive_error(std::int64_t result) {
    if (result == 0) return {ErrorKind::peer_closed, 0, "receive"};
    return error_of_errno(static_cast<int>(-result), "receive");
}

void Session::feed(std::span<const char> octets) {
    if (is_secure()) return stream_.feed(octets);
    reader_.feed(octets);
}

/// Of what has come, which is decrypted as far as that takes.
Result<pop3::LineReader::Next> Session::received_line(LineKind kind) {
    for (;;) {
        const pop3::LineReader::Next next = reader_.next(line_octets_max(kind));
        if (next.status != pop3::LineReader::Status::incomplete) return next;
        if (!stream_.has_input_pending()) return next;
        const Result<bool> decrypted = decrypt();
        if (!decrypted) return std::unexpected(decrypted.error());
        if (!*decrypted) return next;
    }
}

/// A record at most; false: no whole one has come. No coroutine, so that its buffer is on the stack
/// of the reactor and in no session's frame.
Result<bool> Session::decrypt() {
    char plaintext[pop3::LineReader::fed_octets_max];
    const std::int64_t read = stream_.read(plaintext);
    if (read == -EAGAIN) return false;
    if (read <= 0) return std::unexpected(receive_error(read));
    const auto octets = std::span<const char>(plaintext).first(static_cast<std::size_t>(read));
    reader_.feed(octets);
    explicit_bzero(plaintext, octets.size());
    return true;
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
    output_.reply(pop3::Reply::ok("capabilities follow"));
    output_.line("TOP");
    output_.line("UIDL");
    if (tls_mode_ == TlsMode::starttls && !is_secure()) output_.line("STLS");
    if (allows_cleartext()) output_.line("USER");
    std::string mechanisms = "SASL";
    const SaslMechanisms offered = offered_mechanisms(service_.policy.sasl, ground());
    offered.for_each([&mechanisms](SaslMechanism each) { (mechanisms += ' ') += name_of(each); });
    if (!offered.empty()) output_.line(mechanisms);
    output_.line("RESP-CODES");
    output_.line("PIPELINING");
    output_.line("AUTH-RESP-CODE");
    output_.line("EXPIRE NEVER");
    output_.line("IMPLEMENTATION restante");
    output_.terminate();
}

void Session::enter(Phase phase) {
    if (phase_times_) {
        const Instant now = service_.ring.now();
        phase_times_->spent[static_cast<std::size_t>(phase_)] += now - phase_times_->entered;
        phase_times_->entered = now;
    }
    phase_ = phase;
    probe_phase(id_, phase);
}

}  // namespace restante
