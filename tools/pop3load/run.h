#pragma once
/// One run: the threads, the clock, what is shown meanwhile, what came of it.

#include <expected>
#include <string>

#include "ledger.h"
#include "results.h"
#include "setting.h"

namespace pop3load {

/// The load of one run; one of the two is 0.
struct Load {
    double rate = 0;                ///< open model: sessions a second
    std::uint32_t connections = 0;  ///< closed model
};

/// Runs `load` for the time of the options; `ledgers` are what runs before it have seen, and are
/// kept up. The error, in words, is of what could not even begin.
/// SIGINT and SIGTERM end the run early; what was measured by then is the result, and
/// `was_interrupted` is set. The caller has made HeldSignals.
std::expected<Results, std::string> run_load(const Setting& setting, Ledgers& ledgers,
                                             const Load& load, bool& was_interrupted);

}  // namespace pop3load
