#pragma once
/// One core's share of the server: a ring, its listeners, its sessions. Shares nothing with other
/// reactors.

#include <atomic>
#include <cstdint>
#include <limits>
#include <list>
#include <memory>
#include <optional>
#include <vector>

#include "auth/tally.h"
#include "maildir/delivery.h"
#include "maildir/store.h"
#include "net/listener.h"
#include "ring/ring.h"
#include "server/reactor_log.h"
#include "session/session.h"

namespace restante {

struct ReactorLimits {
    std::uint32_t sessions_max;             ///< connections beyond it are told so and closed
    std::uint32_t connections_per_address;  ///< likewise, of all reactors; 0 = no limit
    Duration drain_timeout;
    /// A connection whose descriptor is not below it is told so and closed.
    std::uint64_t first_spare_descriptor = std::numeric_limits<std::uint64_t>::max();
};

struct ListeningSocket {
    Handle socket;
    TlsMode tls = TlsMode::none;
    /// Of all its connections; none: each is asked for its own.
    std::optional<SocketAddress> local;
};

/// Everything but stop() belongs to the thread that runs it.
class Reactor {
public:
    /// `service`, and `log`, which is the service's own, outlive it; `connections`, too, which
    /// counts those of each address, of all reactors.
    Reactor(const SessionService& service, ReactorLog& log, Tally& connections,
            std::vector<ListeningSocket> listeners, ReactorLimits limits);
    ~Reactor();

    /// Serves until it was stopped and its sessions have ended.
    void run();
    // What run() is made of, for who turns the ring himself.
    void start();
    /// To be called after each turn of the ring.
    void after_turn();
    /// It was stopped, its sessions have ended and its log is written.
    bool is_finished() const;
    /// Any thread. The first call drains: no new connections, those not logged in are closed, the
    /// others have drain_timeout to end. The second ends them at once; an UPDATE under way is
    /// finished.
    void stop();

private:
    struct Connection;
    struct Listening {
        Listening(Reactor& reactor, ListeningSocket opened);
        Handle socket;
        const TlsMode tls;
        const std::optional<SocketAddress> local;
        Operation* in_flight = nullptr;
        Task<void> loop;
        bool is_running = false;
    };

    Task<void> accept_connections(Listening& listening);
    Task<void> end_after_drain_timeout();
    static void farewell(Connection* ended);
    struct Arrival {
        Handle socket;
        SocketAddress peer;
        SocketAddress local;
        TlsMode tls;
        Tally::Place place;
    };
    /// Empty: there are too many already.
    std::optional<Tally::Place> admit(const Handle& socket, const SocketAddress& peer);
    void report_crowd(LogLevel level, const std::string& what);
    void welcome(Arrival arrival);
    void obey_stop();
    void begin_drain();
    void interrupt_sessions(bool logged_in_too);
    bool is_drained() const;

    const SessionService service_;
    ReactorLog& log_;
    Tally& connections_of_;
    const ReactorLimits limits_;
    std::list<Listening> listeners_;
    // In no order, each linked to the next: owned, since 100,000 of them have no octet to spare.
    Connection* connections_ = nullptr;
    std::size_t connection_count_ = 0;
    std::atomic<int> stops_asked_{0};
    int stops_obeyed_ = 0;
    std::optional<Instant> crowd_said_at_;
    Operation* drain_timer_ = nullptr;
    Task<void> drain_;
    bool is_draining_timed_ = false;
};

}  // namespace restante
