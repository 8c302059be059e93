#pragma once
/// Where one thread writes down what it measures.

#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "base/clock.h"
#include "results.h"

namespace pop3load {

using restante::Duration;
using restante::Instant;

/// The monotonic clock.
Instant clock_now();

/// When the measured part of a run begins and ends.
struct Window {
    Instant begin;
    Instant end;
    bool contains(Instant when) const { return when >= begin && when < end; }
};

/// One thread's own, but for take_published(). What begins outside of the window leaves no latency,
/// what happens outside of it is not counted.
class Recorder {
public:
    explicit Recorder(const Window& window) : window_(window) {}

    /// Meant to begin at `intended`, begun at `begun`, over at `now`.
    void step(Step step, Instant intended, Instant begun, Instant now);
    void arrival(Instant intended);
    /// A session was begun `due` or later, as soon as the generator came to it.
    void lag(Instant due, Instant now);
    void session_ended(Instant intended, Instant begun, Instant now);
    void fault(Fault fault, const std::string& example, Instant now);
    void command(Instant now);
    /// A message of so many octets was fetched whole.
    void message(Instant intended, std::uint64_t octets, Instant now);
    void handshake(bool is_resumed, Instant now);
    /// specmail2001: a user's mailbox was looked at again so long after it was before.
    void looked_again(Duration after);
    void body_looked_at(bool is_marked, Instant now);
    /// A session that was due then began late: every user was busy, or every connection in use.
    enum class Wait : std::uint8_t { none, user, connection };
    void waited(Wait wait, Instant due);
    /// The generator cannot go on, and why: no fault of the server. The first counts.
    void own_fault(const std::string& cause);
    bool has_own_fault() const { return results_.has_own_fault; }
    void received(std::size_t octets, Instant now);

    struct Published {
        std::vector<Interval> intervals;  ///< since it was taken before
        FaultCounts fault_counts{};       ///< as results() has them
    };
    /// Publishes what is over by `now`. To be called at least once a second.
    void publish(Instant now, std::uint32_t in_flight);
    /// What was published; by any thread.
    Published take_published();
    /// Once the thread has ended.
    const Results& results() const { return results_; }

private:
    const Window window_;
    Results results_;
    Interval current_;
    std::uint64_t interval_ = 0;  // which second of the window `current_` is
    std::mutex mutex_;
    Published published_;
};

}  // namespace pop3load
