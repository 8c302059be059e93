#pragma once
/// HdrHistogram's text form of a percentile distribution.

#include <string>

#include "base/histogram.h"

namespace pop3load {

/// Values in milliseconds; `histogram` is of nanoseconds. What outputPercentileDistribution of
/// HdrHistogram prints (5 steps a half), so that its plotter reads it
/// (hdrhistogram.github.io/HdrHistogram/plotFiles.html).
std::string hgrm_report(const restante::Histogram& histogram);

}  // namespace pop3load
