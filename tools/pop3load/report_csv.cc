#include "report_csv.h"

#include <fmt/format.h>

#include <array>
#include <iterator>

#include "derived.h"

namespace pop3load {
namespace {

constexpr std::array figures = {"min", "mean", "p50", "p90", "p99", "p99_9", "p99_99", "max"};

void append_figures(std::string& text, const restante::Histogram& histogram) {
    const std::array values = {
        static_cast<double>(histogram.min()),
        histogram.mean(),
        static_cast<double>(histogram.value_at(50)),
        static_cast<double>(histogram.value_at(90)),
        static_cast<double>(histogram.value_at(99)),
        static_cast<double>(histogram.value_at(99.9)),
        static_cast<double>(histogram.value_at(99.99)),
        static_cast<double>(histogram.max()),
    };
    static_assert(std::tuple_size_v<decltype(values)> == figures.size());
    for (const double value : values)
        fmt::format_to(std::back_inserter(text), ",{:.3f}", value / 1e3);
}

}  // namespace

std::string csv_report(const Results& results) {
    std::string text = "step,count";
    for (const std::string_view kind : {"corrected", "uncorrected"})
        for (const std::string_view figure : figures)
            fmt::format_to(std::back_inserter(text), ",{}_{}_us", kind, figure);
    text += '\n';
    for (std::size_t step = 0; step < steps; ++step) {
        const Latencies& latencies = results.latencies[step];
        if (latencies.corrected.count() == 0) continue;
        text += fmt::format("{},{}", step_names[step], latencies.corrected.count());
        append_figures(text, latencies.corrected);
        append_figures(text, latencies.uncorrected);
        text += '\n';
    }
    return text;
}

std::string csv_seconds_report(const Results& results) {
    std::string text =
        "second,arrivals,ended,faults,octets,in_flight,p50_us,p99_us,p99_9_us,"
        "server_cpu_seconds,server_memory_octets\n";
    auto out = std::back_inserter(text);
    for (std::size_t second = 0; second < results.intervals.size(); ++second) {
        const Interval& interval = results.intervals[second];
        fmt::format_to(out, "{},{},{},{},{},{}", second, interval.arrivals, interval.ended,
                       interval.faults, interval.octets, interval.in_flight);
        for (const double percentile : {50.0, 99.0, 99.9})
            fmt::format_to(out, ",{:.0f}", bucket_percentile(interval.latency_buckets, percentile));
        if (results.server) {
            fmt::format_to(out, ",{:.6f},{}\n", interval.server_cpu_seconds,
                           interval.server_memory_octets);
        } else {
            text += ",,\n";
        }
    }
    return text;
}

std::string csv_seconds_path(std::string_view path) {
    constexpr std::string_view ending = ".csv";
    const bool has_ending = path.size() > ending.size() && path.ends_with(ending);
    if (has_ending) path.remove_suffix(ending.size());
    return fmt::format("{}-seconds{}", path, has_ending ? ending : "");
}

}  // namespace pop3load
