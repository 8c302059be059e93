#include "thresholds.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>

#include "base/nearest_name.h"
#include "derived.h"
#include "readable.h"

namespace pop3load {
namespace {

using Figure = Threshold::Figure;
using Comparison = Threshold::Comparison;

constexpr std::string_view form = "write it as in p99<50ms, retr_last.p99.9<1s or errors<0.1%";
constexpr std::array<std::string_view, 9> figure_names = {
    "p50", "p90", "p95", "p99", "p99.9", "p99.99", "errors", "rate", "cpu_per_session"};

std::string_view trimmed(std::string_view text) {
    while (text.starts_with(' ')) text.remove_prefix(1);
    while (text.ends_with(' ')) text.remove_suffix(1);
    return text;
}

/// The number `text` begins with, which goes from it: digits and a point, no sign, no exponent.
std::optional<double> take_number(std::string_view& text) {
    if (text.empty() || text[0] < '0' || text[0] > '9') return std::nullopt;
    double value = 0;
    const char* end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, value, std::chars_format::fixed);
    if (error != std::errc{} || !std::isfinite(value)) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(rest - text.data()));
    return value;
}

/// "99.9" of "p99.9".
std::optional<double> percentile_of(std::string_view name) {
    if (!name.starts_with('p')) return std::nullopt;
    name.remove_prefix(1);
    const std::optional<double> value = take_number(name);
    if (!value || !name.empty() || *value <= 0 || *value > 100) return std::nullopt;
    return value;
}

std::string did_you_mean(std::string_view typed, std::span<const std::string_view> names) {
    const std::string_view nearest = restante::nearest_name(typed, names);
    if (nearest.empty()) return fmt::format("it is one of {}", fmt::join(names, ", "));
    return fmt::format("did you mean \"{}\"?", nearest);
}

std::string looks_like_percentile(std::string_view name) {
    return name.size() > 1 && name[0] == 'p' && name[1] >= '0' && name[1] <= '9'
               ? fmt::format(
                     "percentile \"{}\": give p and a number above 0 and up to 100, as in "
                     "p99.9",
                     name)
               : std::string();
}

/// Fills in figure, step and percentile; "" or what is wrong with `name`.
std::string read_figure(std::string_view name, Threshold& threshold) {
    if (name == "errors" || name == "rate" || name == "cpu_per_session") {
        threshold.figure = name == "errors" ? Figure::errors
                           : name == "rate" ? Figure::rate
                                            : Figure::cpu_per_session;
        return {};
    }
    threshold.figure = Figure::percentile;
    std::string_view percentile = name;
    std::string wrong = looks_like_percentile(name);
    const std::size_t point = name.find('.');
    if (wrong.empty() && point != std::string_view::npos) {
        const std::string_view step = name.substr(0, point);
        const auto* found = std::ranges::find(step_names, step);
        if (found == step_names.end())
            return fmt::format("unknown step \"{}\": {}", step, did_you_mean(step, step_names));
        threshold.step = static_cast<Step>(found - step_names.begin());
        percentile = name.substr(point + 1);
        wrong = looks_like_percentile(percentile);
    }
    if (const std::optional<double> value = percentile_of(percentile)) {
        threshold.percentile = *value;
        return {};
    }
    if (!wrong.empty()) return wrong;
    return fmt::format("unknown figure \"{}\": {}", percentile,
                       did_you_mean(percentile, figure_names));
}

/// Nanoseconds in one of `unit`; 0 for no unit of time.
double unit_nanoseconds(std::string_view unit) {
    if (unit == "us") return 1e3;
    if (unit == "ms") return 1e6;
    return unit == "s" ? 1e9 : 0;
}

/// Fills in the bound; "" or what is wrong with `text`.
std::string read_bound(std::string_view text, Threshold& threshold) {
    std::string_view unit = text;
    const std::optional<double> number = take_number(unit);
    unit = trimmed(unit);
    if (threshold.figure == Figure::errors) {
        if (!number || unit != "%")
            return fmt::format("\"{}\" is no share: errors takes per cent, as in errors<0.1%",
                               text);
        threshold.bound = *number / 100;
    } else if (threshold.figure == Figure::rate) {
        if (!number || !(unit.empty() || unit == "/s"))
            return fmt::format("\"{}\" is no rate: give sessions a second, as in rate>=1000", text);
        threshold.bound = *number;
    } else {
        if (!number || unit_nanoseconds(unit) == 0)
            return fmt::format("\"{}\" is no duration: give a number and us, ms or s, as in 50ms",
                               text);
        threshold.bound = *number * unit_nanoseconds(unit);
    }
    return {};
}

std::expected<Threshold, std::string> parse_one(std::string_view text) {
    const std::size_t sign = text.find_first_of("<>");
    if (sign == std::string_view::npos || sign == 0)
        return std::unexpected(
            fmt::format("threshold \"{}\" compares nothing: {}", printable(text), form));
    const bool with_equal = text.substr(sign + 1).starts_with('=');
    const bool less = text[sign] == '<';
    Threshold threshold{};
    threshold.text = text;
    threshold.comparison = less ? (with_equal ? Comparison::at_most : Comparison::less)
                                : (with_equal ? Comparison::at_least : Comparison::greater);
    std::string wrong = read_figure(trimmed(text.substr(0, sign)), threshold);
    if (wrong.empty())
        wrong = read_bound(trimmed(text.substr(sign + (with_equal ? 2 : 1))), threshold);
    if (!wrong.empty())
        return std::unexpected(printable(fmt::format("threshold \"{}\": {}", text, wrong)));
    return threshold;
}

struct Actual {
    std::optional<double> value;  ///< in the unit of the bound
    std::string text;
};

Actual actual_percentile(const Threshold& threshold, const Results& results) {
    const restante::Histogram& histogram = results.of(threshold.step).corrected;
    if (histogram.count() == 0)
        return {std::nullopt, fmt::format("no {} was measured", name_of(threshold.step))};
    const auto value = static_cast<double>(histogram.value_at(threshold.percentile));
    return {value, duration_text(value)};
}

Actual actual_of(const Threshold& threshold, const Results& results) {
    switch (threshold.figure) {
        case Figure::percentile: return actual_percentile(threshold, results);
        case Figure::errors: {
            if (results.sessions_begun == 0) return {std::nullopt, "no session began"};
            return {fault_share(results), share_text(fault_share(results))};
        }
        case Figure::rate: {
            return {rate_reached(results), fmt::format("{:.6g}/s", rate_reached(results))};
        }
        case Figure::cpu_per_session: {
            const std::optional<double> cost =
                server_microseconds_per(results, results.sessions_ended);
            if (cost) return {*cost * 1e3, duration_text(*cost * 1e3)};
            return {std::nullopt, results.server ? "no session ended well"
                                                 : "no server is watched: give --server-pid or "
                                                   "--server-cgroup"};
        }
    }
    return {};
}

bool holds(double actual, Comparison comparison, double bound) {
    switch (comparison) {
        case Comparison::less: return actual < bound;
        case Comparison::at_most: return actual <= bound;
        case Comparison::greater: return actual > bound;
        case Comparison::at_least: return actual >= bound;
    }
    return false;
}

}  // namespace

std::expected<std::vector<Threshold>, std::string> parse_thresholds(std::string_view text) {
    std::vector<Threshold> thresholds;
    while (true) {
        const std::size_t comma = text.find(',');
        std::expected<Threshold, std::string> parsed = parse_one(trimmed(text.substr(0, comma)));
        if (!parsed) return std::unexpected(parsed.error());
        thresholds.push_back(*std::move(parsed));
        if (comma == std::string_view::npos) return thresholds;
        text.remove_prefix(comma + 1);
    }
}

std::vector<Verdict> evaluate(const std::vector<Threshold>& thresholds, const Results& results) {
    std::vector<Verdict> verdicts;
    for (const Threshold& threshold : thresholds) {
        const Actual actual = actual_of(threshold, results);
        const bool kept =
            actual.value && holds(*actual.value, threshold.comparison, threshold.bound);
        verdicts.push_back({threshold.text, kept, actual.text});
    }
    return verdicts;
}

}  // namespace pop3load
