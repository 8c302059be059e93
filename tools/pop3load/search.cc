#include "search.h"

#include <fmt/format.h>

#include <algorithm>

#include "derived.h"
#include "judgement.h"
#include "readable.h"

namespace pop3load {
namespace {

/// Of the rate the closed model reached: an open one never holds more.
constexpr double highest_share = 1.5;
constexpr int halvings_max = 8;
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
    double failing = reached * highest_share;
    double rate = reached * 0.7;
    for (int i = 0; i < halvings_max && !was_interrupted; ++i) {
        std::expected<Stage, std::string> stage = run_stage(run, rate, thresholds, was_interrupted);
        if (!stage) return std::unexpected(stage.error());
        (stage->holds() ? holding : failing) = rate;
        stages.push_back(std::move(*stage));
        if (is_end(stages.back())) break;
        if (holding > 0 && failing - holding < precise_enough * holding) break;
        rate = (holding + failing) / 2;
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

std::string stages_report(const std::vector<Stage>& stages) {
    std::string report =
        fmt::format("{:>12} {:>12} {:>10} {:>10} {:>10} {:>8}  {}\n", "asked/s", "reached/s",
                    "p50 ms", "p99 ms", "p99.9 ms", "faults", "holds");
    for (const Stage& stage : stages) {
        const Results& results = stage.results;
        const restante::Histogram& latency = results.of(Step::session).corrected;
        const auto milliseconds = [&](double percentile) {
            return static_cast<double>(latency.value_at(percentile)) / 1e6;
        };
        const bool is_probe = stage.rate == 0;
        const std::string asked = is_probe ? "all it does" : fmt::format("{:.1f}", stage.rate);
        const std::string verdict =
            is_probe ? fmt::format("(closed model, {} connections)", results.connections)
                     : (stage.holds() ? "yes" : "no: " + printable(stage.why_not));
        report += fmt::format("{:>12} {:>12.1f} {:>10.3f} {:>10.3f} {:>10.3f} {:>8}  {}\n", asked,
                              rate_reached(results), milliseconds(50), milliseconds(99),
                              milliseconds(99.9), results.fault_total(), verdict);
    }
    return report;
}

}  // namespace pop3load
