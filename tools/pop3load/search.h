#pragma once
/// Several runs in a row: the highest rate that holds, and stages of a rate.

#include <expected>
#include <string>
#include <vector>

#include "results.h"
#include "setting.h"
#include "thresholds.h"

namespace pop3load {

/// One run of several.
struct Stage {
    double rate;  ///< asked for
    Results results;
    bool holds;  ///< every threshold, no wrong answer, and the generator kept up
};

/// Searches the highest rate under which `thresholds` hold: first what the server does at all
/// (closed model), then by halves to 5 %. The stages in the order they were run; empty: interrupted
/// at once.
std::expected<std::vector<Stage>, std::string> find_max_rate(
    const Setting& setting, const std::vector<Threshold>& thresholds, bool& was_interrupted);

/// Runs each of the options' stages, a share of `rate`.
std::expected<std::vector<Stage>, std::string> run_stages(const Setting& setting, double rate,
                                                          const std::vector<Threshold>& thresholds,
                                                          bool& was_interrupted);

/// The stages as a table.
std::string stages_report(const std::vector<Stage>& stages);

}  // namespace pop3load
