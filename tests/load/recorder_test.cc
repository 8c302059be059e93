#include "recorder.h"

#include <doctest/doctest.h>

#include <chrono>

using namespace pop3load;
using namespace std::chrono_literals;

namespace {

constexpr Instant begin{100s};

std::uint64_t count_of(const FaultCounts& counts, Fault fault) {
    return counts[static_cast<std::size_t>(fault)];
}

}  // namespace

TEST_CASE("what is published has the faults by kind so far, and each second once") {
    Recorder recorder({begin, begin + 10s});
    recorder.fault(Fault::timed_out, "silent", begin + 500ms);
    CHECK(recorder.take_published().fault_counts == FaultCounts{});
    recorder.publish(begin + 1s, 3);
    recorder.fault(Fault::closed, "reset", begin + 1500ms);
    recorder.fault(Fault::timed_out, "silent", begin + 1600ms);
    recorder.publish(begin + 2s, 4);

    const Recorder::Published first = recorder.take_published();
    REQUIRE(first.intervals.size() == 2);
    CHECK(first.intervals[0].faults == 1);
    CHECK(first.intervals[0].in_flight == 3);
    CHECK(first.intervals[1].faults == 2);
    CHECK(count_of(first.fault_counts, Fault::timed_out) == 2);
    CHECK(count_of(first.fault_counts, Fault::closed) == 1);

    const Recorder::Published again = recorder.take_published();
    CHECK(again.intervals.empty());
    CHECK(again.fault_counts == first.fault_counts);
}

TEST_CASE("a fault in the warm-up counts only if it is a wrong answer, and is published there") {
    Recorder recorder({begin, begin + 10s});
    recorder.fault(Fault::timed_out, "silent", begin - 1s);
    recorder.fault(Fault::wrong_octets, "too many", begin - 1s);
    recorder.publish(begin - 500ms, 1);
    const Recorder::Published published = recorder.take_published();
    CHECK(published.intervals.empty());
    CHECK(count_of(published.fault_counts, Fault::timed_out) == 0);
    CHECK(count_of(published.fault_counts, Fault::wrong_octets) == 1);
}

TEST_CASE("what began before the window leaves no latency, what ends after it is not counted") {
    Recorder recorder({begin, begin + 10s});
    recorder.session_ended(begin - 1s, begin - 1s, begin + 1s);
    recorder.session_ended(begin + 1s, begin + 2s, begin + 3s);
    recorder.session_ended(begin + 9s, begin + 9s, begin + 11s);
    CHECK(recorder.results().sessions_ended == 2);
    const Latencies& whole = recorder.results().of(Step::session);
    CHECK(whole.corrected.count() == 2);
    CHECK(whole.uncorrected.min() <= 1'000'000'000);
    CHECK(whole.corrected.min() >= 1'900'000'000);
}

TEST_CASE("messages that were looked at count in the window only, by whether they have a mark") {
    Recorder recorder({begin, begin + 10s});
    for (const Instant when : {begin - 1s, begin + 1s, begin + 11s}) {
        recorder.body_looked_at(true, when);
        recorder.body_looked_at(false, when);
    }
    CHECK(recorder.results().bodies_verified == 1);
    CHECK(recorder.results().bodies_unmarked == 1);
}

TEST_CASE("a message is late after 5 s and a second for every 3,000 octets") {
    Recorder recorder({begin, begin + 30s});
    recorder.message(begin, 0, begin + 5s);
    recorder.message(begin, 30'000, begin + 14900ms);
    CHECK(recorder.results().messages_late == 0);
    recorder.message(begin, 0, begin + 5001ms);
    recorder.message(begin, 30'000, begin + 15100ms);
    CHECK(recorder.results().messages_late == 2);
    CHECK(recorder.results().messages == 4);
}

TEST_CASE("of the times between two looks at a mailbox the shortest is kept") {
    Recorder recorder({begin, begin + 10s});
    CHECK_FALSE(recorder.results().looked_again_seconds.has_value());
    for (const Duration after : {301s, 299s, 400s}) recorder.looked_again(after);
    CHECK(recorder.results().looked_again_seconds == 299);
}

TEST_CASE("the first thing that the generator lacked is its own fault, and none of the server's") {
    Recorder recorder({begin, begin + 10s});
    CHECK_FALSE(recorder.has_own_fault());
    recorder.own_fault("no descriptor");
    recorder.own_fault("no port");
    CHECK(recorder.has_own_fault());
    CHECK(recorder.results().fell_behind_cause == "no descriptor");
    CHECK(recorder.results().fault_total() == 0);
}

TEST_CASE("sessions that waited for a user or a connection are counted by when they were due") {
    Recorder recorder({begin, begin + 10s});
    recorder.waited(Recorder::Wait::user, begin - 1s);
    recorder.waited(Recorder::Wait::user, begin + 1s);
    recorder.waited(Recorder::Wait::connection, begin + 1s);
    recorder.waited(Recorder::Wait::none, begin + 1s);
    CHECK(recorder.results().waited_for_user == 1);
    CHECK(recorder.results().waited_for_connection == 1);
}
