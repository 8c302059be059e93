#include "session.h"

#include <cerrno>
#include <cstring>

namespace pop3load {
namespace {

/// How often a slow reader reads, and so how much at a time.
constexpr std::chrono::milliseconds slow_read_pause{100};
constexpr std::size_t slow_read_octets = 600;  // 6,000 a second

Step step_of(Verb verb) {
    switch (verb) {
        case Verb::capa: return Step::capa;
        case Verb::stls: return Step::tls;
        case Verb::user:
        case Verb::pass:
        case Verb::apop:
        case Verb::auth_plain: return Step::auth;
        case Verb::stat: return Step::stat;
        case Verb::list: return Step::list;
        case Verb::uidl: return Step::uidl;
        case Verb::retr: return Step::retr_last;
        case Verb::top: return Step::top;
        case Verb::dele: return Step::dele;
        case Verb::noop: return Step::noop;
        case Verb::quit: return Step::quit;
    }
    return Step::noop;
}

/// What begins a step: of a login, only the first command does.
bool begins_login(Verb verb) {
    return verb == Verb::user || verb == Verb::apop || verb == Verb::auth_plain;
}

}  // namespace

Session::Want Session::begin(const Start& start, Instant now) {
    const Options& options = service_.options;
    start_ = start;
    random_ = Random(start.dice);
    script_ = Script(service_.profile, options, Random(random_.next()));
    stage_ = Stage::connecting;
    begun_ = step_begun_ = heard_ = now;
    due_ = start.intended;
    is_tls_wanted_ = options.tls != TlsMode::none;
    is_holding_ = has_thought_ = quit_sent_ = false;
    is_password_wrong_ =
        options.wrong_password_share > 0 && random_.unit() < options.wrong_password_share;
    expected_.clear();
    stat_.reset();
    messages_.clear();
    new_messages_.clear();
    removals_.clear();
    const std::vector<Address>& sources = service_.sources;
    const Address* source =
        sources.empty() ? nullptr : &sources[service_.next_source++ % sources.size()];
    const auto window =
        service_.profile.pauses_reading ? Connection::Window::small : Connection::Window::large;
    const int failed = connection_.connect(service_.target, source, window);
    if (failed == EINPROGRESS) return Want::writable;
    if (failed == 0) return connected(clock_now());
    return fail_to_connect(failed, now);
}

/// What the generator itself lacks is no fault of the server: the run ends with it.
Session::Want Session::fail_to_connect(int error, Instant now) {
    const std::string what = ::strerrordesc_np(error);
    if (error != EMFILE && error != ENFILE && error != ENOBUFS && error != ENOMEM &&
        error != EADDRNOTAVAIL)
        return fail(Fault::connect_failed, what, now);
    std::string cure = "the system has no more memory for sockets";
    if (error == EMFILE) cure = "raise ulimit -n, or ask for fewer connections";
    if (error == ENFILE) cure = "raise fs.file-max, or ask for fewer connections";
    if (error == EADDRNOTAVAIL) cure = "no port is left: give more --source addresses";
    service_.recorder.own_fault("no connection can be opened: " + what + "; " + cure);
    connection_.close();
    stage_ = Stage::ended;
    return Want::ended;
}

Session::Want Session::connected(Instant now) {
    service_.recorder.step(Step::connect, start_.intended, begun_, now);
    stage_ = Stage::talking;
    step_begun_ = heard_ = now;
    if (service_.options.tls == TlsMode::implicit) {
        begin_tls();
        return go_on_with_handshake(now);
    }
    expect({{}, Step::greeting, now, now});
    return Want::readable;
}

void Session::begin_tls() {
    connection_.begin_tls(service_.tls, random_.unit() < service_.options.tls_resumed_share);
    stage_ = Stage::handshake;
}

Session::Want Session::go_on_with_handshake(Instant now) {
    heard_ = now;
    const std::expected<void, Connection::Wait> done = connection_.handshake();
    if (!done && done.error() == Connection::Wait::readable) return Want::readable;
    if (!done && done.error() == Connection::Wait::writable) return Want::writable;
    if (!done) return fail(Fault::tls_failed, connection_.failure(), now);
    service_.recorder.step(Step::tls, step_begun_, step_begun_, now);
    service_.recorder.handshake(connection_.is_resumed(), now);
    stage_ = Stage::talking;
    is_tls_wanted_ = false;
    due_ = now;
    if (service_.options.tls == TlsMode::starttls) return send_more(now);
    expect({{}, Step::greeting, now, now});
    return connection_.has_pending() ? talk(now) : Want::readable;
}

Session::Want Session::on_ready(Instant now) {
    switch (stage_) {
        case Stage::connecting:
            if (const int failed = connection_.connect_result(); failed != 0)
                return fail_to_connect(failed, now);
            return connected(now);
        case Stage::handshake: return go_on_with_handshake(now);
        case Stage::talking: return talk(now);
        case Stage::ended: break;
    }
    return Want::ended;
}

Session::Want Session::on_time(Instant now) {
    if (service_.profile.pauses_reading && !expected_.empty()) return talk(now);
    has_thought_ = true;
    return send_more(now);
}

Session::Want Session::leave(Instant now) {
    is_holding_ = false;
    script_.leave();
    due_ = now;
    has_thought_ = true;
    return send_more(now);
}

bool Session::end_if_silent(Instant since, Instant now) {
    const bool waits = stage_ != Stage::talking || !expected_.empty();
    if (!waits || heard_ >= since) return false;
    fail(Fault::timed_out, "no answer for --timeout", now);
    return true;
}

void Session::give_up(Instant now) { fail(Fault::timed_out, std::string(given_up), now); }

/// Reads what has arrived, then sends what is next.
Session::Want Session::talk(Instant now) {
    const bool is_slow = service_.profile.pauses_reading;
    std::span<char> room(service_.buffer);
    if (is_slow) room = room.first(slow_read_octets);
    do {
        const std::expected<std::size_t, Connection::Wait> got = connection_.receive(room);
        if (!got && got.error() == Connection::Wait::readable) break;
        if (!got) return stop(got.error(), now);
        heard_ = now;
        service_.recorder.received(*got, now);
        if (!take(std::string_view(room.data(), *got), now)) return Want::ended;
        if (stage_ == Stage::handshake) return go_on_with_handshake(now);
        // Of a record of TLS that was read whole, a slow reader takes its part all the same.
    } while (!is_slow && connection_.has_pending());
    if (is_slow && !expected_.empty()) {
        due_ = now + slow_read_pause;
        return Want::pause;
    }
    return send_more(now);
}

std::size_t Session::depth() const {
    return service_.options.pipelined ? service_.options.pipeline_depth : 1;
}

Knowledge Session::knowledge() const {
    Knowledge knowledge;
    if (stat_) knowledge.messages = stat_->count;
    if (!messages_.empty()) knowledge.messages = static_cast<std::uint32_t>(messages_.size());
    knowledge.is_settled = expected_.empty();
    knowledge.new_messages = new_messages_;
    return knowledge;
}

Session::Want Session::send_more(Instant now) {
    const Options& options = service_.options;
    // A batch goes out when the one before has been answered to the half.
    if (is_tls_wanted_ || expected_.size() > depth() / 2) return flush(now);
    if (options.think.count() > 0 && expected_.empty() && !has_thought_ && !is_holding_) {
        const double mean = static_cast<double>(options.think.count());
        due_ = now + restante::Duration(static_cast<std::int64_t>(random_.exponential(mean)));
        return Want::time;
    }
    has_thought_ = false;
    while (expected_.size() < depth()) {
        Command command;
        const Script::Next next = script_.next(knowledge(), command);
        if (next == Script::Next::hold) is_holding_ = true;
        if (next == Script::Next::done && expected_.empty()) return end(now);
        if (next != Script::Next::command) break;
        queue(command, now);
        const bool ends_login = step_of(command.verb) == Step::auth && command.verb != Verb::user;
        if (ends_login && is_password_wrong_) break;  // the next is QUIT, if all is well
    }
    return flush(now);
}

void Session::queue(const Command& command, Instant now) {
    const std::string_view password =
        is_password_wrong_ ? "not-the-password" : service_.users.password(start_.user);
    connection_.queue(wire_command(command, service_.users.name(start_.user), password, timestamp_,
                                   service_.options.top_lines));
    quit_sent_ |= command.verb == Verb::quit;
    service_.recorder.command(now);
    if (begins_login(command.verb)) {
        login_intended_ = due_;
        login_begun_ = now;
    }
    const bool is_login = step_of(command.verb) == Step::auth;
    expect({command, step_of(command.verb), is_login ? login_intended_ : due_,
            is_login ? login_begun_ : now});
}

void Session::expect(const Expected& expected) {
    expected_.push_back(expected);
    if (expected_.size() == 1) begin_answer();
}

Session::Want Session::flush(Instant now) {
    const std::expected<void, Connection::Wait> sent = connection_.send_pending();
    if (sent || sent.error() == Connection::Wait::readable) return Want::readable;
    if (sent.error() == Connection::Wait::writable) return Want::writable;
    return stop(sent.error(), now);
}

/// The connection is of no more use.
Session::Want Session::stop(Connection::Wait wait, Instant now) {
    const bool is_closed = wait == Connection::Wait::closed;
    const std::string what = is_closed ? "the server closed" : connection_.failure();
    const std::string_view during =
        expected_.empty() ? "no command" : name_of(expected_.front().step);
    return fail(Fault::closed, what + " during " + std::string(during), now);
}

Session::Want Session::fail(Fault fault, const std::string& what, Instant now) {
    service_.recorder.fault(fault, what, now);
    forget_unanswered_removals();
    connection_.close();
    stage_ = Stage::ended;
    return Want::ended;
}

/// After QUIT without its answer nobody knows whether the marked messages are there.
void Session::forget_unanswered_removals() {
    if (!quit_sent_) return;
    for (const Expected& expected : expected_) {
        const Command& command = expected.command;
        if (command.verb == Verb::dele && command.message <= messages_.size())
            removals_.push_back(messages_[command.message - 1].id_hash);
    }
    settle_removals(false);
}

Session::Want Session::end(Instant now) {
    service_.recorder.session_ended(start_.intended, begun_, now);
    connection_.close();
    stage_ = Stage::ended;
    return Want::ended;
}

}  // namespace pop3load
