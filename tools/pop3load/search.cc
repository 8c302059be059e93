#include "search.h"

#include <fmt/format.h>

#include <algorithm>

#include "derived.h"
#include "judgement.h"
#include "readable.h"

namespace pop3load {
namespace {

/// Of the rate the closed model reached: where the search begins.
constexpr double first_share = 0.7;
/// From a rate that holds to the next, while none has failed.
constexpr double stride = 1.5;
constexpr int runs_max = 10;
constexpr double precise_enough = 0.05;

std::expected<Stage, std::string> run_stage(const Runner& run, double rate,
                                            const std::vector<Threshold>& thresholds,
                                            bool& was_interrupted) {
    std::expected<Results, std::string> results =
        run({.rate = rate, .connections = 0}, was_interrupted);
    if (!results) return std::unexpected(results.error());
    std::string why_not = why_not_held(*results, thresholds);
    return Stage{rate, std::move(*results), std::move(why_not)};
}

/// Nothing is to be learnt from more runs.
bool is_end(const Stage& stage) {
    return wrong_answers(stage.results) > 0 || stage.results.has_own_fault;
}

}  // namespace

std::expected<std::vector<Stage>, std::string> find_max_rate(
    const Runner& run, std::uint32_t connections, const std::vector<Threshold>& thresholds,
    bool& was_interrupted) {
    std::expected<Results, std::string> probe =
        run({.rate = 0, .connections = connections}, was_interrupted);
    if (!probe) return std::unexpected(probe.error());
    const double reached = rate_reached(*probe);
    std::vector<Stage> stages;
    stages.push_back({0, std::move(*probe), ""});
    if (was_interrupted || is_end(stages.front()) || reached == 0) return stages;
    double holding = 0;
    double failing = 0;  // 0: none has yet
    double rate = reached * first_share;
    for (int i = 0; i < runs_max && !was_interrupted; ++i) {
        std::expected<Stage, std::string> stage = run_stage(run, rate, thresholds, was_interrupted);
        if (!stage) return std::unexpected(stage.error());
        (stage->holds() ? holding : failing) = rate;
        stages.push_back(std::move(*stage));
        if (is_end(stages.back())) break;
        if (holding > 0 && failing > 0 && failing - holding < precise_enough * holding) break;
        rate = failing > 0 ? (holding + failing) / 2 : holding * stride;
    }
    return stages;
}

std::expected<std::vector<Stage>, std::string> run_stages(const Runner& run, double rate,
                                                          const std::vector<double>& shares,
                                                          const std::vector<Threshold>& thresholds,
                                                          bool& was_interrupted) {
    std::vector<Stage> stages;
    for (const double share : shares) {
        if (was_interrupted) break;
        std::expected<Stage, std::string> stage =
            run_stage(run, rate * share, thresholds, was_interrupted);
        if (!stage) return std::unexpected(stage.error());
        stages.push_back(std::move(*stage));
    }
    return stages;
}

const Stage* highest_held(const std::vector<Stage>& stages) {
    const Stage* highest = nullptr;
    for (const Stage& stage : stages)
        if (stage.holds() && (highest == nullptr || stage.rate > highest->rate)) highest = &stage;
    return highest;
}

bool is_limited_by_generator(const std::vector<Stage>& stages) {
    const Stage* held = highest_held(stages);
    bool has_higher = false;
    for (const Stage& stage : stages) {
        if (stage.rate <= (held == nullptr ? 0 : held->rate)) continue;
        if (!stage.results.fell_behind) return false;
        has_higher = true;
    }
    return has_higher;
}

std::vector<StageSummary> summaries(const std::vector<Stage>& stages) {
    std::vector<StageSummary> all;
    for (const Stage& stage : stages) {
        const Results& results = stage.results;
        const restante::Histogram& latency = results.of(Step::session).corrected;
        all.push_back({.rate = stage.rate,
                       .reached = rate_reached(results),
                       .p50 = latency.value_at(50),
                       .p99 = latency.value_at(99),
                       .p99_9 = latency.value_at(99.9),
                       .faults = results.fault_total(),
                       .connections = results.connections,
                       .why_not = stage.why_not});
    }
    return all;
}

std::string stages_report(std::span<const StageSummary> stages) {
    std::string report =
        fmt::format("{:>12} {:>12} {:>10} {:>10} {:>10} {:>8}  {}\n", "asked/s", "reached/s",
                    "p50 ms", "p99 ms", "p99.9 ms", "faults", "holds");
    const auto milliseconds = [](std::uint64_t nanoseconds) {
        return static_cast<double>(nanoseconds) / 1e6;
    };
    for (const StageSummary& stage : stages) {
        std::string asked = "all it does";
        std::string verdict = fmt::format("(closed model, {} connections)", stage.connections);
        if (!stage.is_probe()) {
            asked = fmt::format("{:.1f}", stage.rate);
            verdict = stage.why_not.empty() ? "yes" : "no: " + printable(stage.why_not);
        }
        report += fmt::format("{:>12} {:>12.1f} {:>10.3f} {:>10.3f} {:>10.3f} {:>8}  {}\n", asked,
                              stage.reached, milliseconds(stage.p50), milliseconds(stage.p99),
                              milliseconds(stage.p99_9), stage.faults, verdict);
    }
    return report;
}

}  // namespace pop3load
