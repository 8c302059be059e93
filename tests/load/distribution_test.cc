#include "distribution.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <map>
#include <string>
#include <vector>

using pop3load::Distribution;
using pop3load::Random;

namespace {

constexpr std::size_t samples = 1'000'000;

/// Pearson's statistic of `samples` samples against the rows of `table`.
double chi_square(const Distribution& table, std::uint64_t seed) {
    Random random(seed);
    std::map<std::uint64_t, double> seen;
    for (std::size_t i = 0; i < samples; ++i) ++seen[table.sample(random)];
    double total = 0;
    for (const Distribution::Row& row : table.rows()) total += row.weight;
    double statistic = 0;
    for (const Distribution::Row& row : table.rows()) {
        const double expected = samples * row.weight / total;
        statistic += (seen[row.value] - expected) * (seen[row.value] - expected) / expected;
        seen.erase(row.value);
    }
    CHECK(seen.empty());  // no value that is not in the table
    return statistic;
}

std::string error_of(const char* text) {
    const auto parsed = Distribution::parse(text);
    return parsed ? "" : parsed.error();
}

}  // namespace

TEST_CASE("SPECmail2001's message sizes: a mean of 24.5 kB, and samples that fit the table") {
    const Distribution table = Distribution::specmail_sizes();
    CHECK(table.mean() == doctest::Approx(24'532.5));
    double total = 0;
    for (const Distribution::Row& row : table.rows()) total += row.weight;
    CHECK(total == doctest::Approx(100));
    CHECK(chi_square(table, 1) < 27.9);  // 9 degrees of freedom, one run in 1,000 is above
    CHECK(chi_square(table, 2) < 27.9);
}

TEST_CASE("SPECmail2001's messages in a maildrop: a mean of 3.43, and samples that fit the table") {
    const Distribution table = Distribution::specmail_counts();
    CHECK(table.rows().size() == 30);
    CHECK(std::abs(table.mean() - 3.43) < 0.03);  // the table stops at 29, what it rounds does not
    CHECK(chi_square(table, 1) < 58.3);  // 29 degrees of freedom, one run in 1,000 is above
    CHECK(chi_square(table, 2) < 58.3);
}

TEST_CASE("the same seed gives the same samples, another seed others") {
    const Distribution table = Distribution::specmail_counts();
    Random first(7), same(7), other(8);
    std::size_t differing = 0;
    for (int i = 0; i < 1000; ++i) {
        const std::uint64_t value = table.sample(first);
        CHECK(value == table.sample(same));
        if (value != table.sample(other)) ++differing;
    }
    CHECK(differing > 100);
}

TEST_CASE("a constant is always the same") {
    Random random(1);
    const Distribution table = Distribution::constant(42);
    for (int i = 0; i < 10; ++i) CHECK(table.sample(random) == 42);
    CHECK(table.mean() == 42);
}

TEST_CASE("a file is lines of a value and a weight; weights need not add up to anything") {
    const auto parsed = Distribution::parse(
        "# sizes\n"
        "  1000\t1\r\n"
        "\n"
        "2000 2.5  # most\n"
        "18446744073709551615 1e-3");
    REQUIRE(parsed);
    const std::vector<Distribution::Row>& rows = parsed->rows();
    REQUIRE(rows.size() == 3);
    CHECK(rows[0].value == 1000);
    CHECK(rows[0].weight == 1);
    CHECK(rows[1].value == 2000);
    CHECK(rows[1].weight == 2.5);
    CHECK(rows[2].value == UINT64_MAX);
    CHECK(rows[2].weight == 1e-3);
}

TEST_CASE("a mistake in a file is told with its line") {
    const std::string form = "a line is a value and a weight, such as \"3000 20.59\"";
    CHECK(error_of("1000 1\n2000\n") == "line 2: " + form);
    CHECK(error_of("1 2 3") == "line 1: " + form);
    CHECK(error_of("# x\n1k 1") == "line 2: the value \"1k\" is not a whole number");
    CHECK(error_of("-1 1") == "line 1: the value \"-1\" is not a whole number");
    CHECK(error_of("18446744073709551616 1") ==
          "line 1: the value \"18446744073709551616\" is not a whole number");
    for (const char* weight : {"0", "-1", "x", "nan", "inf", "1x"}) {
        CHECK(error_of((std::string("1 ") + weight).c_str()) ==
              std::string("line 1: the weight \"") + weight + "\" is not a number above 0");
    }
    CHECK(error_of("1 1e308\n2 1e308\n") == "the weights are too large");
    CHECK(error_of("") == "there is no value in it");
    CHECK(error_of("# nothing\n\n") == "there is no value in it");
}
