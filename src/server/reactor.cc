#include "server/reactor.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace restante {
namespace {

/// How long accepting rests when there are no descriptors or no memory for a connection.
constexpr Duration accept_rest = std::chrono::milliseconds(100);
/// Connections that are refused or wait are logged once in this time.
constexpr Duration crowd_log_interval = std::chrono::seconds(10);
constexpr Duration refusal_send_max = std::chrono::seconds(1);
constexpr std::string_view too_many_connections = "-ERR [SYS/TEMP] too many connections\r\n";

/// The connection went before it was accepted (accept(2): treat these like EAGAIN).
bool is_clients_own(std::int64_t result) {
    return result == -ECONNABORTED || result == -EINTR || result == -EPROTO ||
           result == -ENETDOWN || result == -ENETUNREACH || result == -EHOSTUNREACH;
}

}  // namespace

struct Reactor::Connection {
    Connection(Reactor& owner, Arrival arrival)
        : reactor(owner),
          place(std::move(arrival.place)),
          session(owner.service_, std::move(arrival.socket), arrival.peer, arrival.local,
                  arrival.tls) {}
    Reactor& reactor;
    Tally::Place place;  // among its address's connections
    Session session;
    // Of all of the reactor's; nullptr at the ends.
    Connection* previous = nullptr;
    Connection* next = nullptr;
};

Reactor::Listening::Listening(Reactor& reactor, ListeningSocket opened)
    : socket(std::move(opened.socket)),
      tls(opened.tls),
      local(opened.local),
      loop(reactor.accept_connections(*this)) {}

Reactor::Reactor(const SessionService& service, ReactorLog& log, Tally& connections,
                 std::vector<ListeningSocket> listeners, ReactorLimits limits)
    : service_(service),
      log_(log),
      connections_of_(connections),
      limits_(limits),
      drain_(end_after_drain_timeout()) {
    for (ListeningSocket& listener : listeners) listeners_.emplace_back(*this, std::move(listener));
}

Reactor::~Reactor() { ASSERT(connection_count_ == 0); }

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
        SocketAddress local = listening.local.value_or(SocketAddress());
        SocketAddress* const asked = listening.local ? nullptr : &local;
        const std::int64_t got =
            co_await perform(service_.ring, Request::accept(listening.socket.get(), peer, asked),
                             listening.in_flight);
        if (got == -ECANCELED) break;
        if (got >= 0 && stops_obeyed_ > 0) {  // it came before its cancellation
            service_.ring.close(static_cast<int>(got));
            break;
        }
        if (got >= 0) {
            Handle socket(service_.ring, static_cast<int>(got));
            std::optional<Tally::Place> place = admit(socket, peer);
            if (place) {
                welcome({std::move(socket), peer, local, listening.tls, std::move(*place)});
                continue;
            }
            if (listening.tls == TlsMode::required) continue;  // no words before a handshake
            const Instant deadline = service_.ring.now() + refusal_send_max;
            co_await perform(
                service_.ring,
                Request::send(socket.get(), too_many_connections, false).until(deadline));
            continue;
        }
        if (is_clients_own(got)) continue;
        report_crowd(LogLevel::error,
                     fmt::format("{}; connections wait",
                                 describe(error_of_errno(static_cast<int>(-got), "accept"))));
        co_await perform(service_.ring, Request::sleep().until(service_.ring.now() + accept_rest));
    }
    listening.socket.reset();
}

std::optional<Tally::Place> Reactor::admit(const Handle& socket, const SocketAddress& peer) {
    if (static_cast<std::uint64_t>(socket.get()) >= limits_.first_spare_descriptor) {
        report_crowd(
            LogLevel::error,
            "connections refused: the limit of open files is near, and what is left is for "
            "those who are logged in (raise it with systemd's LimitNOFILE= or `ulimit -n`)");
        return std::nullopt;
    }
    if (connection_count_ >= limits_.sessions_max) {
        report_crowd(LogLevel::warn,
                     fmt::format("connections refused: this reactor's share of [limits] "
                                 "connections, {}, is reached",
                                 limits_.sessions_max));
        return std::nullopt;
    }
    if (limits_.connections_per_address == 0) return Tally::Place();
    const auto address = std::to_underlying(service_.throttle.key_of(peer));
    std::optional<Tally::Place> place =
        connections_of_.take(address, limits_.connections_per_address);
    if (!place) {
        report_crowd(LogLevel::warn,
                     fmt::format("connections refused: more than [limits] connections_per_ip = {} "
                                 "of rip={}",
                                 limits_.connections_per_address, peer.host()));
    }
    return place;
}

void Reactor::report_crowd(LogLevel level, const std::string& what) {
    const Instant now = service_.ring.now();
    if (crowd_said_at_ && now - *crowd_said_at_ < crowd_log_interval) return;
    crowd_said_at_ = now;
    log_.write(level, what);
}

void Reactor::welcome(Arrival arrival) {
    auto* connection = new Connection(*this, std::move(arrival));
    connection->next = connections_;
    if (connections_ != nullptr) connections_->previous = connection;
    connections_ = connection;
    ++connection_count_;
    connection->session.start([](void* ended) { farewell(static_cast<Connection*>(ended)); },
                              connection);
}

void Reactor::farewell(Connection* ended) {
    const std::unique_ptr<Connection> owner(ended);
    Reactor& reactor = ended->reactor;
    Connection*& from_before = ended->previous ? ended->previous->next : reactor.connections_;
    from_before = ended->next;
    if (ended->next != nullptr) ended->next->previous = ended->previous;
    --reactor.connection_count_;
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
    if (connection_count_ > 0) {
        log_.write(LogLevel::warn,
                   fmt::format("drain_timeout is over: {} sessions closed, nothing of theirs "
                               "removed",
                               connection_count_));
    }
    interrupt_sessions(true);
}

// An interrupted session ends from the ring's next turn on, never inside this loop.
void Reactor::interrupt_sessions(bool logged_in_too) {
    for (Connection* each = connections_; each != nullptr; each = each->next) {
        if (logged_in_too || !each->session.is_logged_in()) each->session.interrupt();
    }
}

/// Asked to stop, and nobody is left to wait for.
bool Reactor::is_drained() const { return stops_obeyed_ > 0 && connection_count_ == 0; }

bool Reactor::is_finished() const {
    const auto is_running = [](const Listening& listening) { return listening.is_running; };
    return is_drained() && !is_draining_timed_ && std::ranges::none_of(listeners_, is_running) &&
           log_.is_flushed();
}

}  // namespace restante
