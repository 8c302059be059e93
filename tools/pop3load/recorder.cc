#include "recorder.h"

#include <time.h>

#include <algorithm>
#include <utility>

namespace pop3load {
namespace {

std::uint64_t nanoseconds(Duration duration) {
    return static_cast<std::uint64_t>(std::max<std::int64_t>(duration.count(), 0));
}

/// SPECmail2001: how long RETR may take, a message of this size.
Duration specmail_fetch_time(std::uint64_t octets) {
    constexpr std::uint64_t octets_a_second = 3'000;
    const Duration transfer(static_cast<std::int64_t>(octets * (1'000'000'000 / octets_a_second)));
    return std::chrono::seconds(5) + transfer;
}

}  // namespace

Instant clock_now() {
    timespec time{};
    ::clock_gettime(CLOCK_MONOTONIC, &time);
    return Instant(std::chrono::seconds(time.tv_sec) + Duration(time.tv_nsec));
}

void Recorder::step(Step step, Instant intended, Instant begun, Instant now) {
    if (!window_.contains(intended)) return;
    Latencies& latencies = results_.of(step);
    latencies.corrected.record(nanoseconds(now - intended));
    latencies.uncorrected.record(nanoseconds(now - begun));
}

void Recorder::arrival(Instant intended) {
    if (!window_.contains(intended)) return;
    ++results_.sessions_begun;
    ++current_.arrivals;
}

void Recorder::lag(Instant due, Instant now) {
    if (window_.contains(due)) results_.send_lag.record(nanoseconds(now - due));
}

void Recorder::session_ended(Instant intended, Instant begun, Instant now) {
    step(Step::session, intended, begun, now);
    if (!window_.contains(now)) return;
    ++results_.sessions_ended;
    ++current_.ended;
    count_latency(current_.latency_buckets, nanoseconds(now - intended));
}

// After the window too: those are sessions of it. And a wrong answer is wrong at any time.
void Recorder::fault(Fault fault, const std::string& example, Instant now) {
    if (now < window_.begin && !is_wrong_answer(fault)) return;
    const auto kind = static_cast<std::size_t>(fault);
    ++results_.fault_counts[kind];
    if (results_.fault_examples[kind].empty()) results_.fault_examples[kind] = example;
    if (window_.contains(now)) ++current_.faults;
}

void Recorder::command(Instant now) {
    if (window_.contains(now)) ++results_.commands;
}

void Recorder::message(Instant intended, std::uint64_t octets, Instant now) {
    if (!window_.contains(now)) return;
    ++results_.messages;
    if (now - intended > specmail_fetch_time(octets)) ++results_.messages_late;
}

void Recorder::handshake(bool is_resumed, Instant now) {
    if (!window_.contains(now)) return;
    ++results_.tls_handshakes;
    if (is_resumed) ++results_.tls_resumed;
}

void Recorder::looked_again(Duration after) {
    const double seconds = std::chrono::duration<double>(after).count();
    results_.looked_again_seconds =
        std::min(results_.looked_again_seconds.value_or(seconds), seconds);
}

void Recorder::body_looked_at(bool is_marked, Instant now) {
    if (!window_.contains(now)) return;
    ++(is_marked ? results_.bodies_verified : results_.bodies_unmarked);
}

void Recorder::waited(Wait wait, Instant due) {
    if (!window_.contains(due)) return;
    if (wait == Wait::user) ++results_.waited_for_user;
    if (wait == Wait::connection) ++results_.waited_for_connection;
}

void Recorder::own_fault(const std::string& cause) {
    if (results_.has_own_fault) return;
    results_.has_own_fault = results_.fell_behind = true;
    results_.fell_behind_cause = cause;
}

void Recorder::received(std::size_t octets, Instant now) {
    if (!window_.contains(now)) return;
    results_.octets += octets;
    current_.octets += octets;
}

void Recorder::publish(Instant now, std::uint32_t in_flight) {
    const std::lock_guard guard(mutex_);
    published_.fault_counts = results_.fault_counts;
    if (now < window_.begin) return;
    const Instant until = std::min(now, window_.end);
    const auto seconds =
        static_cast<std::uint64_t>((until - window_.begin) / std::chrono::seconds(1));
    while (interval_ < seconds) {
        current_.in_flight = in_flight;
        ++interval_;
        published_.intervals.push_back(std::exchange(current_, {}));
    }
}

Recorder::Published Recorder::take_published() {
    const std::lock_guard guard(mutex_);
    return {std::exchange(published_.intervals, {}), published_.fault_counts};
}

}  // namespace pop3load
