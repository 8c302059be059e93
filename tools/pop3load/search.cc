#include "search.h"

#include <fmt/format.h>

#include <algorithm>

#include "derived.h"
#include "run.h"

namespace pop3load {
namespace {

/// What finds out what the server does at all.
constexpr std::uint32_t probe_connections = 64;
/// Of the rate the closed model reached: an open one never holds more.
constexpr double highest_share = 1.5;
constexpr int halvings_max = 8;
constexpr double precise_enough = 0.05;

bool keeps(const std::vector<Threshold>& thresholds, const Results& results) {
    return !results.fell_behind && results.sessions_ended > 0 && wrong_answers(results) == 0 &&
           std::ranges::all_of(evaluate(thresholds, results), &Verdict::holds);
}

std::expected<Stage, std::string> run_stage(const Setting& setting, double rate,
                                            const std::vector<Threshold>& thresholds,
                                            bool& was_interrupted) {
    std::expected<Results, std::string> results =
        run_load(setting, {.rate = rate, .connections = 0}, was_interrupted);
    if (!results) return std::unexpected(results.error());
    const bool holds = keeps(thresholds, *results);
    return Stage{rate, std::move(*results), holds};
}

}  // namespace

std::expected<std::vector<Stage>, std::string> find_max_rate(
    const Setting& setting, const std::vector<Threshold>& thresholds, bool& was_interrupted) {
    const std::expected<Results, std::string> probe =
        run_load(setting, {.rate = 0, .connections = probe_connections}, was_interrupted);
    if (!probe) return std::unexpected(probe.error());
    std::vector<Stage> stages;
    if (was_interrupted) return stages;
    const double reached = rate_reached(*probe);
    if (reached == 0) return std::unexpected("no session ended well at all");
    double holding = 0;
    double failing = reached * highest_share;
    double rate = reached * 0.7;
    for (int i = 0; i < halvings_max && !was_interrupted; ++i) {
        std::expected<Stage, std::string> stage =
            run_stage(setting, rate, thresholds, was_interrupted);
        if (!stage) return std::unexpected(stage.error());
        (stage->holds ? holding : failing) = rate;
        stages.push_back(std::move(*stage));
        if (holding > 0 && failing - holding < precise_enough * holding) break;
        rate = (holding + failing) / 2;
    }
    return stages;
}

std::expected<std::vector<Stage>, std::string> run_stages(const Setting& setting, double rate,
                                                          const std::vector<Threshold>& thresholds,
                                                          bool& was_interrupted) {
    std::vector<Stage> stages;
    for (const double share : setting.options.stages) {
        if (was_interrupted) break;
        std::expected<Stage, std::string> stage =
            run_stage(setting, rate * share, thresholds, was_interrupted);
        if (!stage) return std::unexpected(stage.error());
        stages.push_back(std::move(*stage));
    }
    return stages;
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
        report += fmt::format("{:>12.1f} {:>12.1f} {:>10.3f} {:>10.3f} {:>10.3f} {:>8}  {}\n",
                              stage.rate, rate_reached(results), milliseconds(50), milliseconds(99),
                              milliseconds(99.9), results.fault_total(),
                              stage.holds           ? "yes"
                              : results.fell_behind ? "no: the generator fell behind"
                                                    : "no");
    }
    return report;
}

}  // namespace pop3load
