#pragma once
/// Several runs in a row: the highest rate that holds, and stages of a rate.

#include <expected>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "results.h"
#include "run.h"
#include "thresholds.h"

namespace pop3load {

/// One run of several.
struct Stage {
    double rate = 0;  ///< asked for; 0: the probe, a closed model
    Results results;
    std::string why_not;  ///< it does not hold; empty: it does
    bool holds() const { return rate > 0 && why_not.empty(); }
};

/// Runs a load; sets the flag where it was interrupted. The error is of what could not begin.
using Runner = std::function<std::expected<Results, std::string>(const Load&, bool&)>;

/// Searches the highest rate under which `thresholds` hold: first, with `connections` at once, what
/// the server does at all, then upwards to a rate that fails and by halves to 5 %. The stages in
/// the order they were run, the probe first; a wrong answer is in the last, as nothing is searched
/// after it.
std::expected<std::vector<Stage>, std::string> find_max_rate(
    const Runner& run, std::uint32_t connections, const std::vector<Threshold>& thresholds,
    bool& was_interrupted);

/// Runs each of the shares of `rate`.
std::expected<std::vector<Stage>, std::string> run_stages(const Runner& run, double rate,
                                                          const std::vector<double>& shares,
                                                          const std::vector<Threshold>& thresholds,
                                                          bool& was_interrupted);

/// The highest rate that holds; nullptr: none.
const Stage* highest_held(const std::vector<Stage>& stages);
/// Whether it was the generator that kept every higher rate from holding.
bool is_limited_by_generator(const std::vector<Stage>& stages);

/// The stages in short, for the reports; and as a table.
std::vector<StageSummary> summaries(const std::vector<Stage>& stages);
std::string stages_report(std::span<const StageSummary> stages);

}  // namespace pop3load
