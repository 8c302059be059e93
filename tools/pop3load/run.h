#pragma once
/// One run: the threads, the clock, what is shown meanwhile, what came of it.

#include <expected>
#include <string>

#include "options.h"
#include "results.h"

namespace pop3load {

/// The load of one run; one of the two is 0.
struct Load {
    double rate = 0;                ///< open model: sessions a second
    std::uint32_t connections = 0;  ///< closed model
};

/// Runs `load` for the time of `options`. The error, in words, is of what could not even begin.
/// SIGINT and SIGTERM end the run early; what was measured by then is the result, and
/// `was_interrupted` is set. The caller has blocked both.
std::expected<Results, std::string> run_load(const Options& options, const Load& load,
                                             bool& was_interrupted);

/// The rate that `profile` of so many users has by itself: specmail2001's peak hour. 0: none.
double natural_rate(const std::string& profile, std::size_t users);

}  // namespace pop3load
