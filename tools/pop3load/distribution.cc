#include "distribution.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

#include "base/assert.h"
#include "base/decimal.h"

namespace pop3load {
namespace {

constexpr std::size_t rows_max = 1'000'000;
constexpr std::string_view blanks = " \t\r";

/// The first word of `text`, which loses it and the blanks around it.
std::string_view take_word(std::string_view& text) {
    text.remove_prefix(std::min(text.find_first_not_of(blanks), text.size()));
    const std::string_view word = text.substr(0, text.find_first_of(blanks));
    text.remove_prefix(word.size());
    text.remove_prefix(std::min(text.find_first_not_of(blanks), text.size()));
    return word;
}

/// Finite and above 0, all of `word`.
std::optional<double> weight_of(std::string_view word) {
    double weight = 0;
    const char* end = word.data() + word.size();
    const auto [after, error] = std::from_chars(word.data(), end, weight);
    if (error != std::errc() || after != end || !std::isfinite(weight) || weight <= 0)
        return std::nullopt;
    return weight;
}

/// `line` has no comment and is not blank. The error lacks its place.
std::expected<Distribution::Row, std::string> parse_row(std::string_view line) {
    const std::string_view value_word = take_word(line);
    const std::string_view weight_word = take_word(line);
    if (weight_word.empty() || !line.empty()) {
        return std::unexpected("a line is a value and a weight, such as \"3000 20.59\"");
    }
    const auto value = restante::parse_decimal<std::uint64_t>(value_word);
    if (!value) {
        return std::unexpected(fmt::format("the value \"{}\" is not a whole number", value_word));
    }
    const auto weight = weight_of(weight_word);
    if (!weight) {
        return std::unexpected(
            fmt::format("the weight \"{}\" is not a number above 0", weight_word));
    }
    return Distribution::Row{*value, *weight};
}

double total_weight(const std::vector<Distribution::Row>& rows) {
    double total = 0;
    for (const Distribution::Row& row : rows) total += row.weight;
    return total;
}

}  // namespace

Distribution::Distribution(std::vector<Row> rows) : rows_(std::move(rows)) {
    ASSERT(!rows_.empty());
    const double total = total_weight(rows_);
    ASSERT(total > 0);
    ASSERT(std::isfinite(total));
    cumulative_.reserve(rows_.size());
    double sum = 0;
    for (const Row& row : rows_) {
        ASSERT(row.weight > 0);
        sum += row.weight;
        cumulative_.push_back(sum / total);
    }
    cumulative_.back() = 1;
}

Distribution Distribution::constant(std::uint64_t value) { return Distribution({{value, 1}}); }

std::expected<Distribution, std::string> Distribution::parse(std::string_view text) {
    std::vector<Row> rows;
    for (std::size_t number = 1; !text.empty(); ++number) {
        std::string_view line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(line.size() + 1, text.size()));
        line = line.substr(0, line.find('#'));
        if (line.find_first_not_of(blanks) == std::string_view::npos) continue;
        const std::expected<Row, std::string> row = parse_row(line);
        if (!row) return std::unexpected(fmt::format("line {}: {}", number, row.error()));
        rows.push_back(*row);
        if (rows.size() > rows_max) {
            return std::unexpected(fmt::format("line {}: more than {} values", number, rows_max));
        }
    }
    if (rows.empty()) return std::unexpected("there is no value in it");
    if (!std::isfinite(total_weight(rows))) return std::unexpected("the weights are too large");
    return Distribution(std::move(rows));
}

// SPECmail2001 Architecture White Paper v1.00, "Message Size Distribution". A kB is 1,000 octets.
Distribution Distribution::specmail_sizes() {
    return Distribution({{1'000, 10.20},
                         {2'000, 30.71},
                         {3'000, 20.59},
                         {4'000, 10.78},
                         {5'000, 5.88},
                         {6'000, 3.74},
                         {10'000, 7.44},
                         {100'000, 9.79},
                         {1'000'000, 0.69},
                         {2'675'000, 0.18}});
}

// The same, messages found by a POP session that finds what was delivered since the last one.
Distribution Distribution::specmail_counts() {
    constexpr double percents[] = {26.50, 16.11, 12.25, 9.61, 7.56, 5.95, 4.68, 3.69, 2.90, 2.29,
                                   1.80,  1.42,  1.12,  0.88, 0.69, 0.54, 0.43, 0.34, 0.27, 0.21,
                                   0.16,  0.13,  0.10,  0.08, 0.06, 0.05, 0.04, 0.03, 0.02, 0.02};
    std::vector<Row> rows;
    for (const double percent : percents) rows.push_back({rows.size(), percent});
    return Distribution(std::move(rows));
}

std::uint64_t Distribution::sample(Random& random) const {
    if (rows_.size() == 1) return rows_.front().value;
    const auto at = std::upper_bound(cumulative_.begin(), cumulative_.end(), random.unit());
    return rows_[static_cast<std::size_t>(at - cumulative_.begin())].value;
}

double Distribution::mean() const {
    double sum = 0;
    for (const Row& row : rows_) sum += static_cast<double>(row.value) * row.weight;
    return sum / total_weight(rows_);
}

}  // namespace pop3load
