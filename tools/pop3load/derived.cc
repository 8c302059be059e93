#include "derived.h"

#include <algorithm>
#include <cmath>

#include "script.h"

namespace pop3load {
namespace {

double share_of_threads(const Results& results, double seconds) {
    const double available = results.seconds * results.threads;
    return available <= 0 ? 0 : seconds / available;
}

}  // namespace

double rate_reached(const Results& results) {
    if (results.seconds <= 0) return 0;
    return static_cast<double>(results.sessions_ended) / results.seconds;
}

double fault_share(const Results& results) {
    if (results.sessions_begun == 0) return 0;
    const double begun = static_cast<double>(results.sessions_begun);
    return static_cast<double>(results.fault_total()) / begun;
}

std::uint64_t wrong_answers(const Results& results) {
    std::uint64_t total = 0;
    for (std::size_t kind = 0; kind < faults; ++kind)
        if (is_wrong_answer(static_cast<Fault>(kind))) total += results.fault_counts[kind];
    return total;
}

std::string first_example(const Results& results) {
    for (const std::string& example : results.fault_examples)
        if (!example.empty()) return example;
    return "";
}

bool has_no_result(const Results& results) {
    if (results.sessions_ended > 0) return false;
    const Profile* profile = find_profile(results.profile);
    const bool may_be_silent = profile != nullptr && profile->holds();
    return results.fault_total() > 0 || (results.commands == 0 && !may_be_silent);
}

bool is_specmail(const Results& results) {
    const Profile* profile = find_profile(results.profile);
    return profile != nullptr && profile->is_specmail;
}

double generator_cpu_share(const Results& results) {
    return share_of_threads(results, results.generator_cpu_seconds);
}

double generator_idle_share(const Results& results) {
    return share_of_threads(results, results.generator_idle_seconds);
}

bool is_saturated(const Results& results) {
    constexpr double idle_share_min = 0.05;
    return results.model == Model::closed && results.sessions_ended > 0 &&
           generator_idle_share(results) < idle_share_min;
}

std::optional<double> server_microseconds_per(const Results& results, std::uint64_t units) {
    if (!results.server || units == 0) return std::nullopt;
    return results.server->cpu_seconds * 1e6 / static_cast<double>(units);
}

std::vector<SpectrumPoint> percentile_spectrum(const restante::Histogram& histogram,
                                               unsigned steps_per_half) {
    std::vector<SpectrumPoint> points;
    const double total = static_cast<double>(histogram.count());
    double level = 0;
    std::uint64_t count = 0;
    for (const restante::Histogram::Bucket& bucket : histogram.buckets()) {
        count += bucket.count;
        const std::uint64_t value = std::min(bucket.last, histogram.max());
        while (level < 100 && 100 * static_cast<double>(count) / total >= level) {
            points.push_back({level, value, count});
            const double halves = std::floor(std::log2(100 / (100 - level))) + 1;
            level += 100 / (steps_per_half * std::exp2(halves));
            if (count == histogram.count()) break;
        }
    }
    if (count > 0) points.push_back({100, histogram.max(), count});
    return points;
}

}  // namespace pop3load
