#include "report_hgrm.h"

#include <fmt/format.h>

#include <iterator>

#include "derived.h"

namespace pop3load {
namespace {

constexpr double nanoseconds_per_millisecond = 1e6;
constexpr unsigned steps_per_half = 5;
/// HdrHistogram's footer tells its layout: 32 octaves of 2,048 sub-buckets hold an hour in ns.
constexpr unsigned hdr_buckets = 32;
constexpr unsigned hdr_sub_buckets = 2048;

}  // namespace

std::string hgrm_report(const restante::Histogram& histogram) {
    std::string text = fmt::format("{:>12} {:>14} {:>10} {:>14}\n\n", "Value", "Percentile",
                                   "TotalCount", "1/(1-Percentile)");
    auto out = std::back_inserter(text);
    for (const SpectrumPoint& point : percentile_spectrum(histogram, steps_per_half)) {
        const double value = static_cast<double>(point.value) / nanoseconds_per_millisecond;
        const double share = point.percentile / 100;
        fmt::format_to(out, "{:12.3f} {:2.12f} {:10}", value, share, point.count);
        if (share < 1) fmt::format_to(out, " {:14.2f}", 1 / (1 - share));
        text += '\n';
    }
    const auto milliseconds = [](double value) { return value / nanoseconds_per_millisecond; };
    fmt::format_to(out, "#[Mean    = {:12.3f}, StdDeviation   = {:12.3f}]\n",
                   milliseconds(histogram.mean()), milliseconds(histogram.standard_deviation()));
    fmt::format_to(out, "#[Max     = {:12.3f}, Total count    = {:12}]\n",
                   milliseconds(static_cast<double>(histogram.max())), histogram.count());
    fmt::format_to(out, "#[Buckets = {:12}, SubBuckets     = {:12}]\n", hdr_buckets,
                   hdr_sub_buckets);
    return text;
}

}  // namespace pop3load
