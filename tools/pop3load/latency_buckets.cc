#include "latency_buckets.h"

#include <algorithm>
#include <cmath>

namespace pop3load {
namespace {

constexpr double buckets_per_octave = 4;

}  // namespace

void count_latency(LatencyBuckets& buckets, std::uint64_t nanoseconds) {
    const double microseconds = std::max(static_cast<double>(nanoseconds) / 1e3, 1.0);
    const auto bucket = static_cast<std::size_t>(buckets_per_octave * std::log2(microseconds));
    ++buckets[std::min(bucket, buckets.size() - 1)];
}

double bucket_percentile(const LatencyBuckets& buckets, double percentile) {
    std::uint64_t total = 0;
    for (const std::uint32_t count : buckets) total += count;
    const double wanted = std::max(1.0, static_cast<double>(total) * percentile / 100);
    double before = 0;
    for (std::size_t bucket = 0; bucket < buckets.size(); ++bucket) {
        const double count = buckets[bucket];
        if (count > 0 && before + count >= wanted) {
            const double place = (wanted - before) / count;
            return std::exp2((static_cast<double>(bucket) + place) / buckets_per_octave);
        }
        before += count;
    }
    return 0;
}

}  // namespace pop3load
