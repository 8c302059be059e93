#pragma once
/// Latencies of a second, counted coarsely: small enough to be kept for every second of a run.

#include <array>
#include <cstdint>

namespace pop3load {

/// Bucket b counts those from 2^(b/4) to 2^((b+1)/4) microseconds; the first one shorter ones too,
/// the last one longer ones.
using LatencyBuckets = std::array<std::uint32_t, 128>;

void count_latency(LatencyBuckets& buckets, std::uint64_t nanoseconds);

/// Microseconds, as exact as the buckets are (19 %): the place within the bucket is assumed. 0 when
/// they are empty.
double bucket_percentile(const LatencyBuckets& buckets, double percentile);

}  // namespace pop3load
