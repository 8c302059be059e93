#pragma once
/// What is printed at the end of a run.

#include <string>

#include "results.h"

namespace pop3load {

/// Lines of at most 80 columns, but for what a server said. Control characters are made visible.
std::string text_report(const Results& results);

}  // namespace pop3load
