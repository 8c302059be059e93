#include "base/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace restante {
namespace {

/// Every power of two is cut into this many buckets: a bucket is at most 1/1024 of its values wide.
constexpr std::size_t buckets_per_octave = 1024;
/// Values below 2 * 1024 have a bucket each.
constexpr int exact_bits = 11;

/// How far the values of its bucket are shifted to be told apart.
int shift_of(std::uint64_t value) {
    return std::max(0, static_cast<int>(std::bit_width(value)) - exact_bits);
}

std::size_t index_of(std::uint64_t value) {
    const int shift = shift_of(value);
    return static_cast<std::size_t>(shift) * buckets_per_octave + (value >> shift);
}

/// The bucket at `index`, with no count.
Histogram::Bucket bucket_at(std::size_t index) {
    const std::size_t shift = index < 2 * buckets_per_octave ? 0 : index / buckets_per_octave - 1;
    const std::uint64_t first = (index - shift * buckets_per_octave) << shift;
    return {first, first + (std::uint64_t{1} << shift) - 1, 0};
}

double middle_of(const Histogram::Bucket& bucket) {
    return (static_cast<double>(bucket.first) + static_cast<double>(bucket.last)) / 2;
}

}  // namespace

void Histogram::record(std::uint64_t value, std::uint64_t count) {
    if (count == 0) return;
    value = std::min(value, value_max);
    const std::size_t index = index_of(value);
    // Whole octaves: values that grow slowly do not move the counts each time.
    if (index >= counts_.size())
        counts_.resize((index / buckets_per_octave + 1) * buckets_per_octave);
    counts_[index] += count;
    count_ += count;
    min_ = std::min(min_, value);
    max_ = std::max(max_, value);
}

void Histogram::merge(const Histogram& other) {
    if (other.counts_.size() > counts_.size()) counts_.resize(other.counts_.size());
    for (std::size_t index = 0; index < other.counts_.size(); ++index)
        counts_[index] += other.counts_[index];
    count_ += other.count_;
    min_ = std::min(min_, other.min_);
    max_ = std::max(max_, other.max_);
}

double Histogram::mean() const {
    if (count_ == 0) return 0;
    double sum = 0;
    for (const Bucket& bucket : buckets())
        sum += middle_of(bucket) * static_cast<double>(bucket.count);
    return sum / static_cast<double>(count_);
}

double Histogram::standard_deviation() const {
    if (count_ == 0) return 0;
    const double mean_value = mean();
    double sum = 0;
    for (const Bucket& bucket : buckets()) {
        const double distance = middle_of(bucket) - mean_value;
        sum += distance * distance * static_cast<double>(bucket.count);
    }
    return std::sqrt(sum / static_cast<double>(count_));
}

std::uint64_t Histogram::value_at(double percentile) const {
    if (count_ == 0) return 0;
    // One step down first: 99.9 % of 1,000 is 999, though 99.9 / 100 * 1000 is a little more.
    const double share = std::nextafter(std::clamp(percentile, 0.0, 100.0), 0.0) / 100;
    const auto rank = static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(count_)));
    const std::uint64_t wanted = std::clamp<std::uint64_t>(rank, 1, count_);
    std::uint64_t seen = 0;
    for (std::size_t index = 0; index < counts_.size(); ++index) {
        seen += counts_[index];
        if (seen >= wanted) return std::min(bucket_at(index).last, max_);
    }
    return max_;
}

std::vector<Histogram::Bucket> Histogram::buckets() const {
    std::vector<Bucket> found;
    for (std::size_t index = 0; index < counts_.size(); ++index) {
        if (counts_[index] == 0) continue;
        found.push_back(bucket_at(index));
        found.back().count = counts_[index];
    }
    return found;
}

}  // namespace restante
