#pragma once
/// `pop3load run`: one run or several, the reports, the exit code.

#include "options.h"

namespace pop3load {

/// The exit code (exit_codes.h); where it is not 0, why was said on stderr.
int load_command(const Options& options);

}  // namespace pop3load
