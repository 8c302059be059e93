#pragma once
/// Figures that follow from what a run measured; the reports and the thresholds share them.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "results.h"

namespace pop3load {

/// Sessions that ended well, a second. 0 for a run of no length.
double rate_reached(const Results& results);

/// Of the sessions begun, how many ended in a fault: 0 to 1. 0 when none began.
double fault_share(const Results& results);

/// Faults that are wrong answers: one fails the run.
std::uint64_t wrong_answers(const Results& results);

/// The first fault in words, of the first kind there was; empty: none.
std::string first_example(const Results& results);

/// Whether no session ended well and that is a failure: there were faults, or nothing was even
/// said. (Sessions of keep and noop may be longer than the run; those that hold are silent.)
bool has_no_result(const Results& results);

/// Whether SPECmail2001's rules hold for it.
bool is_specmail(const Results& results);

/// Of the processor time its threads could have had, what the generator used: 0 to 1.
double generator_cpu_share(const Results& results);
/// Of the same, in which it waited for the server (closed model).
double generator_idle_share(const Results& results);

/// A closed loop whose threads hardly ever had to wait: it may have been the limit, not the server.
bool is_saturated(const Results& results);

/// The server's processor time for each of `units`, microseconds. Nothing without a server to
/// watch, or when there were none.
std::optional<double> server_microseconds_per(const Results& results, std::uint64_t units);

/// A point of the percentile spectrum: `count` values, this share of all, are at most `value`.
struct SpectrumPoint {
    double percentile;    ///< 0 to 100
    std::uint64_t value;  ///< of the histogram's unit
    std::uint64_t count;
};
/// As HdrHistogram steps through it: `steps_per_half` points from 0 to 50 %, as many to 75 %, to
/// 87.5 % ... up to the largest value, then 100 %. Empty when the histogram is.
std::vector<SpectrumPoint> percentile_spectrum(const restante::Histogram& histogram,
                                               unsigned steps_per_half);

}  // namespace pop3load
