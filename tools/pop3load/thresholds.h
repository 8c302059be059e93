#pragma once
/// What a run must keep to: "p99<50ms,errors<0.1%".

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "results.h"

namespace pop3load {

/// One comparison of a measured figure with a bound.
struct Threshold {
    enum class Figure : std::uint8_t {
        percentile,       ///< corrected latency of `step`, nanoseconds
        errors,           ///< faults in the sessions begun, 0 to 1
        rate,             ///< sessions that ended well, a second
        cpu_per_session,  ///< of the server, nanoseconds
    };
    enum class Comparison : std::uint8_t { less, at_most, greater, at_least };

    std::string text;  ///< as written, without spaces around it
    Figure figure;
    Step step = Step::session;
    double percentile = 0;  ///< > 0, at most 100
    Comparison comparison;
    double bound;  ///< in the figure's unit
};

/// Thresholds with commas between, at least one. Figures: pNN[.N] (of the whole session),
/// STEP.pNN[.N], errors, rate, cpu_per_session; comparisons: < <= > >=; bounds: durations in us, ms
/// or s, errors in %, rate in sessions a second. The error names the mistake and the cure.
std::expected<std::vector<Threshold>, std::string> parse_thresholds(std::string_view text);

struct Verdict {
    std::string text;  ///< the threshold's
    bool holds;
    std::string actual;  ///< "61.2 ms"; why it does not hold, when nothing was measured
};

/// One verdict a threshold, in their order. What was not measured does not hold.
std::vector<Verdict> evaluate(const std::vector<Threshold>& thresholds, const Results& results);

}  // namespace pop3load
