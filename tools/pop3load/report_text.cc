#include "report_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "derived.h"
#include "readable.h"

namespace pop3load {
namespace {

std::string head(const Results& results) {
    std::string asked;
    if (results.model == Model::open) {
        asked = fmt::format("open model, {:.6g} sessions/s asked", results.rate);
    } else {
        asked = fmt::format("closed model, {} connections", count_text(results.connections));
    }
    std::string text = fmt::format("{} at {}: {}, {:.6g} reached\n", printable(results.profile),
                                   printable(results.target), asked, rate_reached(results));
    text += fmt::format("{:.6g} s, {} sessions, {} commands, {} messages,\n{} received",
                        results.seconds, count_text(results.sessions_ended),
                        count_text(results.commands), count_text(results.messages),
                        octets_text(static_cast<double>(results.octets)));
    if (results.bodies_verified > 0)
        text += fmt::format(", {} bodies verified", count_text(results.bodies_verified));
    if (results.bodies_unmarked > 0)
        text += fmt::format("{} {} without a mark of pop3load seed",
                            results.bodies_verified > 0 ? "," : ";",
                            count_text(results.bodies_unmarked));
    return text + "\n";
}

using Side = restante::Histogram Latencies::*;

std::string table(const Results& results, std::string_view title, Side side) {
    std::string text = fmt::format("\n{}\n{:<10} {:>11} {:>9} {:>9} {:>9} {:>9} {:>9}\n", title,
                                   "step", "count", "p50", "p90", "p99", "p99.9", "max");
    for (std::size_t step = 0; step < steps; ++step) {
        const restante::Histogram& histogram = results.latencies[step].*side;
        if (histogram.count() == 0) continue;
        text += fmt::format("{:<10} {:>11}", step_names[step], count_text(histogram.count()));
        for (const double percentile : {50.0, 90.0, 99.0, 99.9, 100.0}) {
            const auto value = static_cast<double>(histogram.value_at(percentile));
            text += fmt::format(" {:>9}", duration_text(value));
        }
        text += '\n';
    }
    return text;
}

std::string tables(const Results& results) {
    const bool measured = std::ranges::any_of(
        results.latencies, [](const Latencies& each) { return each.corrected.count() > 0; });
    if (!measured) return "\nNo step was measured.\n";
    if (results.model == Model::closed)
        return table(results, "Latency (closed model: a stall delays what it should have measured)",
                     &Latencies::corrected);
    return table(results, "Latency from the intended start (corrected)", &Latencies::corrected) +
           table(results, "Latency from the actual start (uncorrected)", &Latencies::uncorrected);
}

std::string fault_lines(const Results& results) {
    if (results.fault_total() == 0) return "\nFaults: none\n";
    std::string text =
        fmt::format("\nFaults: {} of {} sessions ({})\n", count_text(results.fault_total()),
                    count_text(results.sessions_begun), share_text(fault_share(results)));
    for (std::size_t kind = 0; kind < faults; ++kind) {
        if (results.fault_counts[kind] == 0) continue;
        text += fmt::format("  {:<23} {:>9}  {}{}\n", fault_names[kind],
                            count_text(results.fault_counts[kind]),
                            is_wrong_answer(static_cast<Fault>(kind)) ? "WRONG ANSWER: " : "",
                            printable(results.fault_examples[kind]));
    }
    return text;
}

/// What makes a run another one than was asked for.
std::string tls_line(const Results& results) {
    if (results.tls_handshakes == 0) return {};
    std::string text =
        fmt::format("TLS: {} handshakes, {} resumed", count_text(results.tls_handshakes),
                    count_text(results.tls_resumed));
    if (results.tls_resumed_share > 0)
        text += fmt::format(" ({} asked)", share_text(results.tls_resumed_share));
    return text + "\n";
}

/// SPECmail2001 has 300 s at least between two looks at a mailbox.
std::string looked_again_line(const Results& results) {
    constexpr double seconds_min = 300;
    if (results.looked_again_seconds.value_or(seconds_min) >= seconds_min) return {};
    return fmt::format(
        "  a mailbox was looked at again after {:.3g} s, SPECmail2001 has 300 s: more\n"
        "  users, or a lower --rate\n",
        *results.looked_again_seconds);
}

/// Latency that was made by too few users or connections, not by the server alone.
std::string waited_lines(const Results& results) {
    std::string text;
    if (results.waited_for_user > 0)
        text += fmt::format(
            "  {} sessions began late because every user had one already: --user-count\n",
            count_text(results.waited_for_user));
    if (results.waited_for_connection > 0)
        text += fmt::format("  {} sessions began late because --in-flight others were under way\n",
                            count_text(results.waited_for_connection));
    return text + looked_again_line(results);
}

std::string generator_lines(const Results& results) {
    const restante::Histogram& lag = results.send_lag;
    const auto at = [&lag](double percentile) {
        return duration_text(static_cast<double>(lag.value_at(percentile)));
    };
    std::string text = "\nGenerator: ";
    if (results.seconds > 0)
        text += fmt::format("{} of its {} thread{}", share_text(generator_cpu_share(results)),
                            results.threads, results.threads == 1 ? "" : "s");
    if (lag.count() > 0)
        text += fmt::format(";\n  send lag p50 {}, p99 {}, p99.9 {}, max {}", at(50), at(99),
                            at(99.9), at(100));
    if (is_saturated(results))
        text += fmt::format(
            ";\n  it had to wait for the server in {} of the time only, so what was reached may be"
            "\n  its own limit: raise --threads, or use another machine",
            share_text(generator_idle_share(results)));
    return text + "\n" + waited_lines(results);
}

std::string server_lines(const Results& results) {
    if (!results.server) return {};
    const ServerUsage& server = *results.server;
    const double share = results.seconds > 0 ? server.cpu_seconds / results.seconds : 0;
    std::string text = fmt::format("Server ({}): {:.2f} processors, {:.2f} s; at most {}\n",
                                   printable(server.source), share, server.cpu_seconds,
                                   octets_text(static_cast<double>(server.memory_octets_max)));
    struct Unit {
        std::string_view name;
        std::uint64_t count;
    };
    const std::array units = {Unit{"session", results.sessions_ended},
                              Unit{"command", results.commands}, Unit{"message", results.messages}};
    std::string costs;
    for (const Unit& unit : units) {
        const std::optional<double> cost = server_microseconds_per(results, unit.count);
        if (!cost) continue;
        costs += fmt::format("{}{:.1f} us a {}", costs.empty() ? "" : ", ", *cost, unit.name);
    }
    if (!costs.empty()) text += fmt::format("  CPU: {}\n", costs);
    if (server.voluntary_switches + server.involuntary_switches > 0)
        text += fmt::format("  context switches: {} voluntary, {} involuntary\n",
                            count_text(server.voluntary_switches),
                            count_text(server.involuntary_switches));
    return text;
}

/// What makes the figures above worthless, last, where it is read.
std::string verdict(const Results& results) {
    std::string text;
    if (const std::uint64_t wrong = wrong_answers(results); wrong > 0)
        text += fmt::format("\nThe server answered wrongly in {} session{}: the run fails.\n",
                            count_text(wrong), wrong == 1 ? "" : "s");
    if (has_no_result(results)) text += "\nNo session ended well: there is no result.\n";
    if (results.has_own_fault)
        text += fmt::format("\nThe generator could not go on: {}.\nThis is no result.\n",
                            printable(results.fell_behind_cause));
    if (results.fell_behind && !results.has_own_fault)
        text += fmt::format(
            "\nThe generator fell behind: {}.\nIt, not the server, was the limit, so this is no "
            "result. Lower --rate, raise\n--threads, or run pop3load on another machine.\n",
            printable(results.fell_behind_cause));
    return text;
}

}  // namespace

std::string text_report(const Results& results) {
    return head(results) + tls_line(results) + tables(results) + fault_lines(results) +
           generator_lines(results) + server_lines(results) + verdict(results);
}

}  // namespace pop3load
