#pragma once
/// One core's share of the server: a ring, its listeners, its sessions. Shares nothing with other
/// reactors.

#include <atomic>
#include <cstdint>
#include <list>
#include <memory>
#include <vector>

#include "maildir/delivery.h"
#include "maildir/store.h"
#include "net/listener.h"
#include "ring/ring.h"
#include "server/reactor_log.h"
#include "session/session.h"

namespace restante {

struct ReactorLimits {
    std::uint32_t sessions_max;  ///< connections beyond it are told so and closed
    Duration drain_timeout;
};

/// Everything but stop() belongs to the thread that runs it.
class Reactor {
public:
    /// `service` and `log`, which is the service's own, outlive it.
    Reactor(const SessionService& service, ReactorLog& log, std::vector<Handle> listeners,
            ReactorLimits limits);
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
        Listening(Reactor& reactor, Handle opened);
        Handle socket;
        Operation* in_flight = nullptr;
        Task<void> loop;
        bool is_running = false;
    };

    Task<void> accept_connections(Listening& listening);
    Task<void> end_after_drain_timeout();
    void welcome(Handle socket, const SocketAddress& peer, const SocketAddress& local);
    void obey_stop();
    void begin_drain();
    void interrupt_sessions(bool logged_in_too);
    bool is_drained() const;

    const SessionService service_;
    ReactorLog& log_;
    const ReactorLimits limits_;
    std::list<Listening> listeners_;
    std::list<Connection> connections_;
    std::atomic<int> stops_asked_{0};
    int stops_obeyed_ = 0;
    Operation* drain_timer_ = nullptr;
    Task<void> drain_;
    bool is_draining_timed_ = false;
};

}  // namespace restante
