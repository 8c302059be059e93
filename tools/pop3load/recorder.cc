#include "recorder.h"

#include <time.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace pop3load {
namespace {

using restante::Duration;

std::uint64_t nanoseconds(Duration duration) {
    return static_cast<std::uint64_t>(std::max<std::int64_t>(duration.count(), 0));
}

/// Four buckets an octave, from a microsecond on.
std::size_t latency_bucket(Duration latency, std::size_t buckets) {
    const double microseconds = static_cast<double>(nanoseconds(latency)) / 1000;
    if (microseconds <= 1) return 0;
    return std::min(static_cast<std::size_t>(4 * std::log2(microseconds)), buckets - 1);
}

}  // namespace

Instant clock_now() {
    timespec time{};
    ::clock_gettime(CLOCK_MONOTONIC, &time);
    return Instant(std::chrono::seconds(time.tv_sec) + Duration(time.tv_nsec));
}

void Recorder::step(Step step, Instant intended, Instant begun, Instant now) {
    if (!window_.contains(intended)) return;
    Latencies& latencies = results_.latencies[static_cast<std::size_t>(step)];
    latencies.corrected.record(nanoseconds(now - intended));
    latencies.uncorrected.record(nanoseconds(now - begun));
}

void Recorder::arrival(Instant intended) {
    if (!counts(intended)) return;
    ++results_.sessions_begun;
    ++current_.arrivals;
}

void Recorder::lag(Instant due, Instant now) {
    if (window_.contains(due)) results_.send_lag.record(nanoseconds(now - due));
}

void Recorder::session_ended(Instant intended, Instant begun, Instant now) {
    step(Step::session, intended, begun, now);
    if (!counts(now)) return;
    ++results_.sessions_ended;
    ++current_.ended;
    ++current_.latency_buckets[latency_bucket(now - intended, current_.latency_buckets.size())];
}

// After the window too: those are sessions of it. And a wrong answer is wrong at any time.
void Recorder::fault(Fault fault, const std::string& example, Instant now) {
    if (now < window_.begin && !is_wrong_answer(fault)) return;
    const auto kind = static_cast<std::size_t>(fault);
    ++results_.fault_counts[kind];
    if (results_.fault_examples[kind].empty()) results_.fault_examples[kind] = example;
    if (counts(now)) ++current_.faults;
}

void Recorder::command(Instant now) {
    if (counts(now)) ++results_.commands;
}

void Recorder::message(Instant now) {
    if (counts(now)) ++results_.messages;
}

void Recorder::received(std::size_t octets, Instant now) {
    if (!counts(now)) return;
    results_.octets += octets;
    current_.octets += octets;
}

void Recorder::publish(Instant now, std::uint32_t in_flight) {
    if (now < window_.begin) return;
    const Instant until = std::min(now, window_.end);
    const auto seconds =
        static_cast<std::uint64_t>((until - window_.begin) / std::chrono::seconds(1));
    while (interval_ < seconds) {
        current_.in_flight = in_flight;
        ++interval_;
        const std::lock_guard guard(mutex_);
        published_.push_back(std::exchange(current_, {}));
    }
}

std::vector<Interval> Recorder::take_intervals() {
    const std::lock_guard guard(mutex_);
    return std::exchange(published_, {});
}

}  // namespace pop3load
