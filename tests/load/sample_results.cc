#include "sample_results.h"

#include <algorithm>
#include <cmath>

#include "random.h"
#include "results.h"

namespace pop3load {
namespace {

constexpr std::size_t run_seconds = 60;
constexpr double rate = 400;
constexpr double stall_begins = 25;
constexpr double stall_ends = 28;
/// Sessions at once; the others wait, and only their corrected latency shows it.
constexpr double begun_in_stall_max = 600;
constexpr double sessions_after_stall = 1500;  // a second, until what waited has begun

constexpr Step steps_of_session[] = {Step::connect,    Step::greeting,  Step::auth, Step::stat,
                                     Step::retr_first, Step::retr_last, Step::quit};

struct Session {
    double due;  ///< seconds since the run began, as the others
    double began;
    double ended;
};

/// Log-normal, near `typical` seconds.
double service_time(Random& random, double typical) {
    const double normal = std::sqrt(-2 * std::log(1 - random.unit())) *
                          std::cos(2 * 3.14159265358979 * random.unit());
    return typical * std::exp(0.35 * normal);
}

Session session_due_at(double due, Random& random) {
    Session session{due, due, 0};
    const double waiting = (due - stall_begins) * rate - begun_in_stall_max;
    const double begins = stall_ends + waiting / sessions_after_stall;
    if (due > stall_begins && waiting > 0 && begins > due) session.began = begins;
    const bool in_stall = session.began > stall_begins && session.began < stall_ends;
    const double served = in_stall ? stall_ends : session.began;
    session.ended = served + service_time(random, 0.0009) + (random.unit() < 0.002 ? 0.02 : 0);
    return session;
}

std::uint64_t nanoseconds(double seconds) { return static_cast<std::uint64_t>(seconds * 1e9); }

void count_steps(Results& results, const Session& session, Random& random) {
    const double wait = session.began - session.due;
    const double taken = session.ended - session.began;
    for (const Step step : steps_of_session) {
        const double part = taken * (step == Step::auth ? 0.4 : 0.1) * (0.8 + 0.4 * random.unit());
        Latencies& latencies = results.of(step);
        latencies.corrected.record(nanoseconds(step == Step::connect ? wait + part : part));
        latencies.uncorrected.record(nanoseconds(part));
    }
    Latencies& whole = results.of(Step::session);
    whole.corrected.record(nanoseconds(session.ended - session.due));
    whole.uncorrected.record(nanoseconds(taken));
}

void count_in_intervals(Results& results, const Session& session) {
    const auto at = [&results](double seconds) -> Interval& {
        return results.intervals[std::min(run_seconds - 1, static_cast<std::size_t>(seconds))];
    };
    at(session.due).arrivals++;
    at(session.ended).ended++;
    at(session.ended).octets += 4321;
    const auto last_second = static_cast<std::size_t>(session.ended);
    for (auto second = static_cast<std::size_t>(session.began); second < last_second; ++second)
        if (second < run_seconds) results.intervals[second].in_flight++;
    count_latency(at(session.ended).latency_buckets, nanoseconds(session.ended - session.due));
}

void count_fault(Results& results, Fault fault, std::size_t second, std::string_view example) {
    const auto kind = static_cast<std::size_t>(fault);
    results.fault_counts[kind]++;
    results.sessions_begun++;
    results.intervals[second].faults++;
    if (results.fault_examples[kind].empty()) results.fault_examples[kind] = example;
}

void add_faults(Results& results) {
    for (std::size_t i = 0; i < 23; ++i)
        count_fault(results, Fault::timed_out, 26 + i % 3, "no octet for 2 s after PASS");
    for (const std::size_t second : {7, 31, 44})
        count_fault(results, Fault::closed, second, "closed after 812 of 4,321 octets of RETR 3");
    count_fault(results, Fault::wrong_octets, 44, hostile_text);
}

void add_server(Results& results) {
    results.server = ServerUsage{"pid 4711", 0, 0, 51'234, 1'017};
    for (std::size_t second = 0; second < run_seconds; ++second) {
        Interval& interval = results.intervals[second];
        interval.server_cpu_seconds = 0.00021 * static_cast<double>(interval.ended);
        interval.server_memory_octets = (second < 26 ? 38 + second / 9 : 63 - second / 10) << 20;
        results.server->cpu_seconds += interval.server_cpu_seconds;
        results.server->memory_octets_max =
            std::max(results.server->memory_octets_max, interval.server_memory_octets);
    }
}

}  // namespace

Results empty_results() {
    Results results;
    results.command_line = "pop3load run --rate 400 127.0.0.1:110";
    results.target = "127.0.0.1:110";
    results.profile = "drain";
    results.rate = rate;
    results.seed = 7;
    results.threads = 2;
    return results;
}

Results sample_results(std::uint64_t seed) {
    Results results = empty_results();
    results.command_line = "pop3load run --profile drain --rate 400 --user '<b>&{}' 127.0.0.1:110";
    results.started_unix_seconds = 1'790'000'000;
    results.seconds = run_seconds;
    results.intervals.resize(run_seconds);
    Random random(seed);
    for (double due = 0; due < run_seconds; due += random.exponential(1 / rate)) {
        const Session session = session_due_at(due, random);
        count_steps(results, session, random);
        count_in_intervals(results, session);
        results.sessions_begun++;
        results.sessions_ended++;
        results.octets += 4321;
        results.send_lag.record(nanoseconds(random.exponential(9e-6)));
    }
    results.commands = results.sessions_ended * 5;
    results.messages = results.sessions_ended;
    results.bodies_verified = results.messages / 100;
    results.generator_cpu_seconds = 3.1;
    add_faults(results);
    add_server(results);
    return results;
}

}  // namespace pop3load
