#pragma once
/// One thread of the generator: its arrivals, its sessions, its epoll.

#include <sys/epoll.h>

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <queue>
#include <span>
#include <vector>

#include "base/fd.h"
#include "session.h"
#include "setting.h"

namespace pop3load {

/// One thread's share of a run.
struct Share {
    std::uint32_t index = 0;  ///< of `threads`: it has the users with this remainder
    std::uint32_t threads = 1;
    double rate = 0;                ///< sessions a second; 0 in the closed model
    std::uint32_t connections = 0;  ///< closed model
    Instant start;                  ///< warm-up begins
    Window window;
};

class Worker {
public:
    /// `setting` must outlive it.
    Worker(const Setting& setting, const Share& share);

    /// Until every session has ended, a while after the window at the latest. On its own thread.
    void run();
    /// Ends run() soon; from any thread and from a signal handler.
    void stop() { stop_asked_.store(true, std::memory_order_relaxed); }
    Recorder& recorder() { return service_.recorder; }
    /// Processor time of run() inside the window, once run() has ended.
    Duration cpu_time() const { return cpu_at_begin_ ? *cpu_at_end_ - *cpu_at_begin_ : Duration(); }

private:
    struct Connected {
        explicit Connected(SessionService& service) : session(service) {}
        Session session;
        std::uint32_t events = 0;  // registered, where is_registered
        bool is_registered = false;
        std::uint32_t pool = 0;  // its user's
        std::uint64_t generation = 0;
        bool is_live = false;
    };
    struct Timer {
        Instant when;
        Connected* connected;
        std::uint64_t generation;
        bool operator<(const Timer& other) const { return when > other.when; }  // soonest on top
    };
    struct Arrival {
        Instant intended;
        std::uint32_t pool;
    };

    void take_arrivals(Instant now);
    void begin_sessions(Instant now);
    void begin_session(const Arrival& arrival, Instant now);
    int wait_for_events(std::span<epoll_event> events, Instant now);
    void take_events(Instant now);
    void take_timers(Instant now);
    void settle(Connected& connected, Session::Want want, Instant now);
    void finish(Connected& connected, Instant now);
    void every_second(Instant now);
    void leave_all(Instant now);
    void give_up(Instant now);
    Duration time_to_wait(Instant now) const;
    Duration next_gap();
    bool is_over(Instant now) const;

    const Options& options_;
    const Share share_;
    SessionService service_;
    restante::Fd epoll_;
    std::deque<std::uint32_t> free_users_[2];  // specmail2001 has two pools; taken in turn
    std::vector<std::unique_ptr<Connected>> connected_;
    std::vector<Connected*> idle_;
    std::priority_queue<Timer> timers_;
    std::deque<Arrival> waiting_;
    Instant next_arrival_;
    Instant next_second_;
    std::uint32_t in_flight_ = 0;
    std::uint32_t to_begin_ = 0;  // closed model: not begun yet
    bool is_delayed_ = false;     // --in-flight sessions run, or no user is free
    std::atomic<bool> stop_asked_ = false;
    std::optional<Duration> cpu_at_begin_;
    std::optional<Duration> cpu_at_end_;
};

}  // namespace pop3load
