#pragma once
/// The report for spreadsheets: two tables, so two files, each with a line of column names (RFC
/// 4180, but lines end in LF). Units are in the names; decimal points are points.

#include <string>
#include <string_view>

#include "results.h"

namespace pop3load {

/// One row a measured step: count, then min, mean, p50, p90, p99, p99.9, p99.99 and max in
/// microseconds, corrected and uncorrected.
std::string csv_report(const Results& results);

/// One row a second of the run; p50, p99 and p99.9 are of the corrected whole-session latency,
/// within 19 %. Columns of the server are empty without one to watch.
std::string csv_seconds_report(const Results& results);

/// Where csv_seconds_report goes when csv_report goes to `path`: "run.csv" -> "run-seconds.csv".
std::string csv_seconds_path(std::string_view path);

}  // namespace pop3load
