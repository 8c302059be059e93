#pragma once
/// Counts of values in buckets whose width grows with the value: three significant digits at every
/// size, in memory bounded by the largest value. The layout is that of HdrHistogram.

#include <cstddef>
#include <cstdint>
#include <vector>

namespace restante {

/// Copying copies the counts. One thread at a time.
class Histogram {
public:
    /// Largest value kept apart; larger ones are counted as this (an hour, in nanoseconds).
    static constexpr std::uint64_t value_max = 3'600'000'000'000;

    void record(std::uint64_t value) { record(value, 1); }
    void record(std::uint64_t value, std::uint64_t count);
    void merge(const Histogram& other);

    std::uint64_t count() const { return count_; }
    /// Exact; 0 when empty.
    std::uint64_t min() const { return count_ == 0 ? 0 : min_; }
    std::uint64_t max() const { return max_; }
    /// Of the buckets' middles; 0 when empty.
    double mean() const;
    double standard_deviation() const;
    /// The largest value of the bucket in which the `percentile`-th of 100 lies, never above max():
    /// at most 0.1 % too high. 0 when empty.
    std::uint64_t value_at(double percentile) const;

    /// A bucket that is not empty.
    struct Bucket {
        std::uint64_t first;  ///< smallest value in it
        std::uint64_t last;   ///< largest
        std::uint64_t count;
    };
    /// From small values to large ones.
    std::vector<Bucket> buckets() const;

private:
    std::vector<std::uint64_t> counts_;  // as long as the largest value needs
    std::uint64_t count_ = 0;
    std::uint64_t min_ = UINT64_MAX;
    std::uint64_t max_ = 0;
};

}  // namespace restante
