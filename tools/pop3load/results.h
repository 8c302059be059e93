#pragma once
/// What a run measured: filled by the threads, merged, then only read by the reports.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/histogram.h"
#include "latency_buckets.h"
#include "steps.h"

namespace pop3load {

/// Nanoseconds. `corrected` counts from when the step was meant to begin, so that a stall of the
/// server or of the generator is seen by every session it delayed (no coordinated omission);
/// `uncorrected` from when it did begin. In the closed model the two are the same.
struct Latencies {
    restante::Histogram corrected;
    restante::Histogram uncorrected;
};

/// One second of the run.
struct Interval {
    std::uint64_t arrivals = 0;  ///< sessions that were meant to begin in it
    std::uint64_t ended = 0;     ///< sessions that ended well in it
    std::uint64_t faults = 0;
    std::uint64_t octets = 0;     ///< received
    std::uint32_t in_flight = 0;  ///< sessions, at its end
    /// Sessions that ended well in it, by corrected whole-session latency.
    LatencyBuckets latency_buckets{};
    double server_cpu_seconds = 0;           ///< used in it; with a server to watch
    std::uint64_t server_memory_octets = 0;  ///< at its end
};

/// The server's process tree or control group over the measured time.
struct ServerUsage {
    std::string source;  ///< "pid 4711", "cgroup /sys/fs/cgroup/..."
    double cpu_seconds = 0;
    std::uint64_t memory_octets_max = 0;
    std::uint64_t voluntary_switches = 0;  ///< context switches; 0 where the source has none
    std::uint64_t involuntary_switches = 0;
};

/// One run of several, in short.
struct StageSummary {
    double rate = 0;     ///< sessions a second asked for; 0: the probe of a search, a closed model
    double reached = 0;  ///< sessions a second
    std::uint64_t p50 = 0;  ///< of whole sessions, corrected, nanoseconds, as the next two
    std::uint64_t p99 = 0;
    std::uint64_t p99_9 = 0;
    std::uint64_t faults = 0;
    std::uint32_t connections = 0;  ///< of the probe
    std::string why_not;            ///< it does not hold; empty: it does
    bool is_probe() const { return rate == 0; }
};

/// What an open model's arrivals were; a closed model has none.
enum class Model : std::uint8_t { open, closed };

struct Results {
    // What was asked.
    std::string command_line;
    std::string target;  ///< "127.0.0.1:110"
    std::string profile;
    Model model = Model::open;
    double rate = 0;                ///< sessions a second asked for; open model
    std::uint32_t connections = 0;  ///< closed model
    std::uint64_t seed = 0;
    std::uint32_t threads = 0;
    double tls_resumed_share = 0;

    // What was measured; the warm-up is left out.
    std::int64_t started_unix_seconds = 0;
    double seconds = 0;
    std::uint64_t sessions_begun = 0;
    std::uint64_t sessions_ended = 0;  ///< well
    std::uint64_t commands = 0;
    std::uint64_t messages = 0;         ///< fetched whole
    std::uint64_t messages_late = 0;    ///< of them, after 5 s + octets / 3,000 (SPECmail2001)
    std::uint64_t octets = 0;           ///< received
    std::uint64_t bodies_verified = 0;  ///< compared with their mark
    std::uint64_t bodies_unmarked = 0;  ///< looked at, and no mark was in them
    std::uint64_t tls_handshakes = 0;
    std::uint64_t tls_resumed = 0;  ///< of them; the server took the session it was offered
    /// specmail2001: the shortest time from one session of a user to the next, seconds; unset: none
    /// had two.
    std::optional<double> looked_again_seconds;
    // Sessions that began late because all users, or all --in-flight, were busy.
    std::uint64_t waited_for_user = 0;
    std::uint64_t waited_for_connection = 0;
    FaultCounts fault_counts{};
    /// The first fault of each kind in the words of the check that found it; empty: none.
    std::array<std::string, faults> fault_examples{};
    std::array<Latencies, steps> latencies{};
    /// How late the generator itself was: from when something was due to when it was done.
    restante::Histogram send_lag;
    std::vector<Interval> intervals;

    // The generator and the server.
    double generator_cpu_seconds = 0;
    double generator_idle_seconds = 0;  ///< its threads waited for the server; closed model
    bool fell_behind = false;           ///< the generator, not the server, was the limit: no result
    bool has_own_fault = false;         ///< it fell behind because it could not go on at all
    std::string fell_behind_cause;
    std::optional<ServerUsage> server;

    std::vector<StageSummary> stages;  ///< of --find-max and --stages: all runs, this one too

    Latencies& of(Step step) { return latencies[static_cast<std::size_t>(step)]; }
    const Latencies& of(Step step) const { return latencies[static_cast<std::size_t>(step)]; }
    std::uint64_t fault_total() const {
        std::uint64_t total = 0;
        for (const std::uint64_t count : fault_counts) total += count;
        return total;
    }
};

}  // namespace pop3load
