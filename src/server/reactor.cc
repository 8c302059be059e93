#include "server/reactor.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

namespace restante {
namespace {

/// How long accepting rests when there are no descriptors or no memory for a connection.
constexpr Duration accept_rest = std::chrono::milliseconds(100);
constexpr Duration refusal_send_max = std::chrono::seconds(1);
constexpr std::string_view too_many_connections = "-ERR [SYS/TEMP] too many connections\r\n";

/// The connection went before it was accepted (accept(2): treat these like EAGAIN).
bool is_clients_own(std::int64_t result) {
    return result == -ECONNABORTED || result == -EINTR || result == -EPROTO ||
           result == -ENETDOWN || result == -ENETUNREACH || result == -EHOSTUNREACH;
}

}  // namespace

struct Reactor::Connection {
    Connection(Reactor& owner, Handle socket, const SocketAddress& peer, const SocketAddress& local)
        : reactor(owner), session(owner.service_, std::move(socket), peer, local) {}
    Reactor& reactor;
    Session session;
    std::list<Connection>::iterator self;
};

Reactor::Listening::Listening(Reactor& reactor, Handle opened)
    : socket(std::move(opened)), loop(reactor.accept_connections(*this)) {}

Reactor::Reactor(const SessionService& service, ReactorLog& log, std::vector<Handle> listeners,
                 ReactorLimits limits)
    : service_(service), log_(log), limits_(limits), drain_(end_after_drain_timeout()) {
    for (Handle& listener : listeners) listeners_.emplace_back(*this, std::move(listener));
}

Reactor::~Reactor() = default;

void Reactor::run() {
    start();
    while (!is_finished()) {
        service_.ring.turn();
        after_turn();
    }
}

void Reactor::start() {
    for (Listening& listening : listeners_) {
        listening.is_running = true;
        listening.loop.start(
            [](void* ended) { static_cast<Listening*>(ended)->is_running = false; }, &listening);
    }
}

void Reactor::after_turn() {
    obey_stop();
    log_.flush();
    if (is_drained() && drain_timer_ != nullptr) service_.ring.cancel(*drain_timer_);
}

void Reactor::stop() {
    stops_asked_.fetch_add(1, std::memory_order_release);
    service_.ring.wake();
}

Task<void> Reactor::accept_connections(Listening& listening) {
    while (stops_obeyed_ == 0) {
        SocketAddress peer;
        SocketAddress local;
        const std::int64_t got =
            co_await perform(service_.ring, Request::accept(listening.socket.get(), peer, local),
                             listening.in_flight);
        if (got == -ECANCELED) break;
        if (got >= 0 && stops_obeyed_ > 0) {  // it came before its cancellation
            service_.ring.close(static_cast<int>(got));
            break;
        }
        if (got >= 0) {
            Handle socket(service_.ring, static_cast<int>(got));
            if (connections_.size() < limits_.sessions_max) {
                welcome(std::move(socket), peer, local);
                continue;
            }
            const Instant deadline = service_.ring.now() + refusal_send_max;
            co_await perform(
                service_.ring,
                Request::send(socket.get(), too_many_connections, false).until(deadline));
            continue;
        }
        if (is_clients_own(got)) continue;
        log_.write(LogLevel::error,
                   fmt::format("{}; connections wait",
                               describe(error_of_errno(static_cast<int>(-got), "accept"))));
        co_await perform(service_.ring, Request::sleep().until(service_.ring.now() + accept_rest));
    }
    listening.socket.reset();
}

void Reactor::welcome(Handle socket, const SocketAddress& peer, const SocketAddress& local) {
    Connection& connection = connections_.emplace_back(*this, std::move(socket), peer, local);
    connection.self = std::prev(connections_.end());
    connection.session.start(
        [](void* context) {
            auto* ended = static_cast<Connection*>(context);
            ended->reactor.connections_.erase(ended->self);
        },
        &connection);
}

void Reactor::obey_stop() {
    const int asked = stops_asked_.load(std::memory_order_acquire);
    if (asked == stops_obeyed_) return;
    const bool is_first = stops_obeyed_ == 0;
    stops_obeyed_ = asked;
    if (is_first) begin_drain();
    if (asked > 1) interrupt_sessions(true);
}

void Reactor::begin_drain() {
    for (Listening& listening : listeners_) {
        if (listening.in_flight != nullptr) service_.ring.cancel(*listening.in_flight);
    }
    interrupt_sessions(false);
    is_draining_timed_ = true;
    drain_.start([](void* self) { static_cast<Reactor*>(self)->is_draining_timed_ = false; }, this);
}

Task<void> Reactor::end_after_drain_timeout() {
    const Instant end = service_.ring.now() + limits_.drain_timeout;
    const std::int64_t ended =
        co_await perform(service_.ring, Request::sleep().until(end), drain_timer_);
    if (ended != -ETIMEDOUT) co_return;
    if (!connections_.empty()) {
        log_.write(LogLevel::warn,
                   fmt::format("drain_timeout is over: {} sessions closed, nothing of theirs "
                               "removed",
                               connections_.size()));
    }
    interrupt_sessions(true);
}

// An interrupted session ends from the ring's next turn on, never inside this loop.
void Reactor::interrupt_sessions(bool logged_in_too) {
    for (Connection& connection : connections_) {
        if (logged_in_too || !connection.session.is_logged_in()) connection.session.interrupt();
    }
}

/// Asked to stop, and nobody is left to wait for.
bool Reactor::is_drained() const { return stops_obeyed_ > 0 && connections_.empty(); }

bool Reactor::is_finished() const {
    const auto is_running = [](const Listening& listening) { return listening.is_running; };
    return is_drained() && !is_draining_timed_ && std::ranges::none_of(listeners_, is_running) &&
           log_.is_flushed();
}

}  // namespace restante
