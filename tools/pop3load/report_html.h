#pragma once
/// The report for people: one file with everything in it.

#include <string>

#include "results.h"

namespace pop3load {

/// A page that needs no network: report/report.html with its style, its script and json_report().
std::string html_report(const Results& results);

}  // namespace pop3load
