#pragma once
/// The report for programs. JSON.md describes it.

#include <string>

#include "results.h"

namespace pop3load {

/// Raised when a field changes its meaning or goes; new fields do not raise it.
inline constexpr unsigned report_schema = 1;

std::string json_report(const Results& results);

}  // namespace pop3load
