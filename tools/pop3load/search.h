#pragma once
/// Several runs in a row: the highest rate that holds, and stages of a rate.

#include <expected>
#include <string>
#include <vector>

#include "options.h"
#include "results.h"
#include "thresholds.h"

namespace pop3load {

/// One run of several.
struct Stage {
    double rate;  ///< asked for
    Results results;
    std::vector<Verdict> verdicts;
    bool holds;  ///< every threshold, no wrong answer, and the generator kept up
};

/// Whether `results` keep `thresholds`; the verdicts into `verdicts`.
bool keeps(const std::vector<Threshold>& thresholds, const Results& results,
           std::vector<Verdict>& verdicts);

/// Searches the highest rate under which `thresholds` hold: first what the server does at all
/// (closed model), then by halves to 5 %. The stages in the order they were run; empty: interrupted
/// at once.
std::expected<std::vector<Stage>, std::string> find_max_rate(
    const Options& options, const std::vector<Threshold>& thresholds, bool& was_interrupted);

/// Runs each of `options.stages`, a share of `rate`.
std::expected<std::vector<Stage>, std::string> run_stages(const Options& options, double rate,
                                                          const std::vector<Threshold>& thresholds,
                                                          bool& was_interrupted);

/// The stages as a table.
std::string stages_report(const std::vector<Stage>& stages);

}  // namespace pop3load
