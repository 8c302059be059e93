#pragma once
/// What a run is worth: its exit code, and why it is not exit_ok.

#include <string>
#include <vector>

#include "exit_codes.h"
#include "results.h"
#include "thresholds.h"

namespace pop3load {

struct Judgement {
    int code = exit_ok;
    std::vector<std::string> why;  ///< sentences without a full stop; empty: nothing is wrong
};

/// Whether the generator itself was the limit: in the open model it must have been in time at every
/// percentile that the thresholds judge the server at, and at the 95th. judge() reads what it says.
void judge_generator(Results& results, const std::vector<Threshold>& thresholds);

/// Wrong answers come before all else, also of a run that its generator spoilt. A run fails with
/// more faults than 1 % of its sessions, unless a threshold bounds its errors.
Judgement judge(const Results& results, const std::vector<Threshold>& thresholds);

/// Why the server did not keep up with the rate asked for: fewer sessions ended than began; empty:
/// it did.
std::string rate_shortfall(const Results& results);

/// Why this rate does not hold; empty: it does.
std::string why_not_held(const Results& results, const std::vector<Threshold>& thresholds);

}  // namespace pop3load
