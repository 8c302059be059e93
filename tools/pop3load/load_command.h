#pragma once
/// `pop3load run`: one run or several, the reports, the exit code.

#include "options.h"

namespace pop3load {

inline constexpr int exit_ok = 0;
inline constexpr int exit_failed = 1;  ///< a wrong answer, a threshold, nothing measured
inline constexpr int exit_usage = 2;
inline constexpr int exit_fell_behind = 4;  ///< the generator was the limit: nothing was measured
inline constexpr int exit_interrupted = 130;

/// Returns one of the exit codes above, having said why on stderr.
int load_command(const Options& options);

}  // namespace pop3load
