#include "base/histogram.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "random.h"

using pop3load::Random;
using restante::Histogram;

namespace {

/// Of `values` in order: the smallest that at least `percentile` of them do not exceed.
std::uint64_t exact_percentile(const std::vector<std::uint64_t>& values, double percentile) {
    const auto per_hundred_thousand = static_cast<std::uint64_t>(std::llround(percentile * 1000));
    const std::uint64_t rank = (values.size() * per_hundred_thousand + 99'999) / 100'000;
    return values[std::max<std::uint64_t>(rank, 1) - 1];
}

/// Latencies as they come: most near `typical`, a long tail.
std::vector<std::uint64_t> latencies(std::uint64_t seed, std::size_t count, double typical) {
    Random random(seed);
    std::vector<std::uint64_t> values;
    for (std::size_t i = 0; i < count; ++i) {
        const double tail = random.unit() < 0.01 ? 1000 : 1;
        values.push_back(static_cast<std::uint64_t>(random.exponential(typical) * tail));
    }
    return values;
}

Histogram histogram_of(const std::vector<std::uint64_t>& values) {
    Histogram histogram;
    for (const std::uint64_t value : values) histogram.record(value);
    return histogram;
}

}  // namespace

TEST_CASE("a percentile is the exact one or up to 0.1 % above it, at every size") {
    for (const double typical : {3.0, 900.0, 40'000.0, 5e6, 2e9}) {
        for (const std::size_t count : {1, 2, 10, 999, 1000, 60'000}) {
            std::vector<std::uint64_t> values = latencies(count, count, typical);
            for (std::uint64_t& value : values) value = std::min(value, Histogram::value_max);
            const Histogram histogram = histogram_of(values);
            std::ranges::sort(values);
            for (const double percentile : {0.0, 1.0, 50.0, 90.0, 99.0, 99.9, 99.99, 100.0}) {
                CAPTURE(typical);
                CAPTURE(count);
                CAPTURE(percentile);
                const std::uint64_t exact = exact_percentile(values, percentile);
                CHECK(histogram.value_at(percentile) >= exact);
                CHECK(histogram.value_at(percentile) - exact <= exact / 1000);
            }
        }
    }
}

TEST_CASE("percentiles of a round number of values take the value that was meant") {
    Histogram histogram;
    for (std::uint64_t value = 1; value <= 1000; ++value) histogram.record(value);
    CHECK(histogram.value_at(50) == 500);
    CHECK(histogram.value_at(99) == 990);
    CHECK(histogram.value_at(99.9) == 999);
    CHECK(histogram.value_at(100) == 1000);
    CHECK(histogram.value_at(0) == 1);
}

TEST_CASE("values below 2,048 have a bucket each") {
    Histogram histogram;
    for (std::uint64_t value = 0; value < 2048; ++value) histogram.record(value);
    const std::vector<Histogram::Bucket> buckets = histogram.buckets();
    REQUIRE(buckets.size() == 2048);
    for (std::uint64_t value = 0; value < 2048; ++value) {
        CHECK(buckets[value].first == value);
        CHECK(buckets[value].last == value);
    }
}

TEST_CASE("buckets adjoin, hold what is recorded in them, and are at most 1/1024 wide") {
    std::uint64_t value = 0;
    while (value < Histogram::value_max) {
        Histogram histogram;
        histogram.record(value, 3);
        const Histogram::Bucket bucket = histogram.buckets().at(0);
        REQUIRE(bucket.first == value);
        REQUIRE(bucket.count == 3);
        REQUIRE(bucket.last - bucket.first <= bucket.first / 1024);
        histogram.record(std::min(bucket.last, Histogram::value_max));
        REQUIRE(histogram.buckets().size() == 1);
        // All of the first octaves, then the ends of each.
        const bool skips = value > 20'000 && bucket.last % 1024 != 1023;
        value = skips ? bucket.last + 1 + (bucket.last - bucket.first + 1) * 90 : bucket.last + 1;
        Histogram next;
        next.record(value);
        if (value < Histogram::value_max) value = next.buckets().at(0).first;
    }
}

TEST_CASE("smallest and largest value are exact") {
    const Histogram histogram = histogram_of({1'000'003, 77'777'777, 5'000'000'011});
    CHECK(histogram.min() == 1'000'003);
    CHECK(histogram.max() == 5'000'000'011);
    CHECK(histogram.value_at(100) == 5'000'000'011);
}

TEST_CASE("a value above the largest kept apart is counted as that") {
    Histogram histogram;
    histogram.record(UINT64_MAX);
    histogram.record(Histogram::value_max + 1, 2);
    CHECK(histogram.count() == 3);
    CHECK(histogram.max() == Histogram::value_max);
    CHECK(histogram.value_at(50) == Histogram::value_max);
}

TEST_CASE("an empty histogram has no value, and merging it changes nothing") {
    const Histogram empty;
    CHECK(empty.count() == 0);
    CHECK(empty.min() == 0);
    CHECK(empty.max() == 0);
    CHECK(empty.mean() == 0);
    CHECK(empty.standard_deviation() == 0);
    CHECK(empty.value_at(99) == 0);
    CHECK(empty.buckets().empty());
    Histogram histogram = histogram_of({5});
    histogram.merge(empty);
    histogram.record(7, 0);
    CHECK(histogram.count() == 1);
    CHECK(histogram.min() == 5);
}

TEST_CASE("histograms of parts, merged, are the histogram of the whole") {
    const std::vector<std::uint64_t> some = latencies(1, 500, 300);
    const std::vector<std::uint64_t> others = latencies(2, 700, 5e8);
    for (const bool swapped : {false, true}) {
        Histogram merged = histogram_of(swapped ? others : some);
        merged.merge(histogram_of(swapped ? some : others));
        std::vector<std::uint64_t> all = some;
        all.insert(all.end(), others.begin(), others.end());
        const Histogram whole = histogram_of(all);
        CHECK(merged.count() == 1200);
        CHECK(merged.min() == whole.min());
        CHECK(merged.max() == whole.max());
        for (double percentile = 0; percentile <= 100; percentile += 0.5)
            CHECK(merged.value_at(percentile) == whole.value_at(percentile));
    }
}

TEST_CASE("mean and standard deviation are those of the values, within 0.1 %") {
    const std::vector<std::uint64_t> values = latencies(3, 20'000, 2e6);
    double sum = 0;
    for (const std::uint64_t value : values) sum += static_cast<double>(value);
    const double mean = sum / static_cast<double>(values.size());
    double squares = 0;
    for (const std::uint64_t value : values)
        squares += (static_cast<double>(value) - mean) * (static_cast<double>(value) - mean);
    const double deviation = std::sqrt(squares / static_cast<double>(values.size()));
    const Histogram histogram = histogram_of(values);
    CHECK(histogram.mean() == doctest::Approx(mean).epsilon(0.001));
    CHECK(histogram.standard_deviation() == doctest::Approx(deviation).epsilon(0.001));
}
