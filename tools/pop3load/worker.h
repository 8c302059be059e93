#pragma once
/// One thread of the generator: its arrivals, its sessions, its epoll.

#include <sys/epoll.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <queue>
#include <span>
#include <vector>

#include "base/fd.h"
#include "schedule.h"
#include "session.h"
#include "setting.h"

namespace pop3load {

/// One thread's share of a run.
struct Share {
    Part part;
    double rate = 0;                ///< sessions a second, of all threads; 0 in the closed model
    std::uint32_t connections = 0;  ///< closed model; of this thread
    Instant start;                  ///< warm-up begins
    Window window;
};

class Worker {
public:
    /// `setting` and `ledgers` must outlive it.
    Worker(const Setting& setting, Ledgers& ledgers, const Share& share);

    /// Until every session has ended, a while after the window at the latest. On its own thread.
    void run();
    /// Ends run() soon; from any thread and from a signal handler.
    void stop() { stop_asked_.store(true, std::memory_order_relaxed); }
    /// From any thread: run() is at its end; it ended because the generator cannot go on.
    bool has_ended() const { return has_ended_.load(std::memory_order_acquire); }
    bool has_own_fault() const { return has_own_fault_.load(std::memory_order_relaxed); }
    Recorder& recorder() { return service_.recorder; }
    /// In which it had nothing to do but to wait, inside the window; closed model.
    Duration idle_time() const { return idle_time_; }
    /// Processor time of run() inside the window, once run() has ended.
    Duration cpu_time() const { return cpu_at_begin_ ? *cpu_at_end_ - *cpu_at_begin_ : Duration(); }

private:
    struct Connected {
        explicit Connected(SessionService& service) : session(service) {}
        Session session;
        std::uint32_t events = 0;  // registered, where is_registered
        bool is_registered = false;
        std::uint32_t pool = 0;   // its user's
        std::uint32_t place = 0;  // its user's, in its pool's turn
        std::uint64_t generation = 0;
        bool is_live = false;
    };
    struct Timer {
        Instant when;
        Connected* connected;
        std::uint64_t generation;
        bool operator<(const Timer& other) const { return when > other.when; }  // soonest on top
    };
    /// Sessions of one pool that are due.
    struct Queue {
        std::deque<Arrival> arrivals;
        Recorder::Wait held_up = Recorder::Wait::none;  // by what, the first of them
    };

    void take_arrivals(Instant now);
    void begin_due();
    void begin_due(Queue& queue, Turn& turn);
    void begin_more(Instant now);
    void begin_session(const Arrival& arrival, const Turn::Taken& taken, Instant now);
    int wait_for_events(std::span<epoll_event> events, Instant now);
    void note_idle(Instant since);
    void note_begin(const Connected& connected, Instant now);
    void take_events(Instant now);
    void take_timers(Instant now);
    void settle(Connected& connected, Session::Want want, Instant now);
    void finish(Connected& connected, Instant now);
    void every_second(Instant now);
    void leave_all(Instant now);
    void give_up(Instant now);
    Duration time_to_wait(Instant now) const;
    std::size_t waiting() const;
    bool is_over(Instant now) const;

    const Options& options_;
    const Share share_;
    SessionService service_;
    restante::Fd epoll_;
    std::array<Turn, pools> turns_;
    std::vector<std::unique_ptr<Connected>> connected_;
    std::vector<Connected*> idle_;
    std::priority_queue<Timer> timers_;
    std::optional<Schedule> schedule_;  // open model
    std::array<Queue, pools> queues_;
    Instant next_second_;
    std::uint64_t dice_;  // a session's, less its number
    std::uint32_t in_flight_ = 0;
    std::uint32_t to_begin_ = 0;  // closed model: not begun yet
    std::uint64_t begun_ = 0;     // closed model
    std::atomic<bool> stop_asked_ = false;
    std::atomic<bool> has_ended_ = false;
    std::atomic<bool> has_own_fault_ = false;
    /// specmail2001: when each user's last session began, by place.
    std::array<std::vector<Instant>, pools> begun_at_;
    Duration idle_time_{};
    std::optional<Duration> cpu_at_begin_;
    std::optional<Duration> cpu_at_end_;
};

}  // namespace pop3load
