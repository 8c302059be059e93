#include "judgement.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "derived.h"
#include "readable.h"
#include "script.h"

namespace pop3load {
namespace {

/// Faults of any kind, of the sessions begun, above which a run has failed (SPECmail2001 §2).
constexpr double fault_share_max = 0.01;

/// How late the generator may be, at the percentile that counts.
constexpr std::uint64_t lag_max_nanoseconds = 10'000'000;
constexpr double lag_percentile_min = 95;

/// Of the sessions that began, how many must have ended for the rate to be reached.
constexpr double ended_share_min = 0.95;

Judgement failed(std::string why) { return {exit_failed, {std::move(why)}}; }

/// SPECmail2001's quality of service: 95 % of each step under 5 s; of RETR see check_fetches().
std::vector<Threshold> specmail_thresholds(const Results& results) {
    std::vector<Threshold> thresholds;
    if (!is_specmail(results)) return thresholds;
    for (std::size_t i = 0; i < steps; ++i) {
        const auto step = static_cast<Step>(i);
        if (step == Step::session || step == Step::retr_last) continue;
        if (results.latencies[i].corrected.count() == 0) continue;
        thresholds.push_back({.text = fmt::format("{}.p95<5s", step_names[i]),
                              .figure = Threshold::Figure::percentile,
                              .step = step,
                              .percentile = 95,
                              .comparison = Threshold::Comparison::less,
                              .bound = 5e9});
    }
    return thresholds;
}

void check(const std::vector<Threshold>& thresholds, const Results& results, Judgement& judgement) {
    for (const Verdict& verdict : evaluate(thresholds, results)) {
        if (verdict.holds) continue;
        judgement.code = exit_failed;
        judgement.why.push_back(fmt::format("{} does not hold: {}", verdict.text, verdict.actual));
    }
}

/// SPECmail2001: RETR may take 5 s and a second for every 3,000 octets.
void check_fetches(const Results& results, Judgement& judgement) {
    constexpr double late_share_max = 0.05;
    const auto late = static_cast<double>(results.messages_late);
    const auto all = static_cast<double>(results.messages);
    if (!is_specmail(results) || late <= late_share_max * all) return;
    judgement.code = exit_failed;
    judgement.why.push_back(
        fmt::format("{} of {} messages took longer than 5 s and a second for every 3,000 octets: "
                    "more than 5 %",
                    results.messages_late, results.messages));
}

Judgement judge_wrong_answers(const Results& results) {
    Judgement judgement;
    for (std::size_t i = 0; i < faults; ++i) {
        if (results.fault_counts[i] == 0 || !is_wrong_answer(static_cast<Fault>(i))) continue;
        judgement.code = exit_failed;
        judgement.why.push_back(fmt::format("wrong answers: {} {} times, first: {}", fault_names[i],
                                            results.fault_counts[i],
                                            printable(results.fault_examples[i])));
    }
    return judgement;
}

Judgement judge_fell_behind(const Results& results) {
    if (!results.fell_behind) return {};
    if (results.has_own_fault)
        return {exit_fell_behind,
                {"the generator could not go on, which says nothing of the server: " +
                 results.fell_behind_cause}};
    return {
        exit_fell_behind,
        {"the generator fell behind, so this measured the generator: " + results.fell_behind_cause +
         "; lower --rate, raise --threads, or use another machine"}};
}

Judgement judge_faults(const Results& results, const std::vector<Threshold>& thresholds) {
    if (has_no_result(results)) {
        const std::string why = first_example(results);
        return failed("no session ended well" + (why.empty() ? "" : ": " + printable(why)));
    }
    const bool bounds_errors = std::ranges::any_of(thresholds, [](const Threshold& threshold) {
        return threshold.figure == Threshold::Figure::errors;
    });
    if (bounds_errors || fault_share(results) <= fault_share_max) return {};
    return failed(fmt::format("{} faults in {} sessions: more than 1 %, first: {}",
                              results.fault_total(), results.sessions_begun,
                              printable(first_example(results))));
}

}  // namespace

void judge_generator(Results& results, const std::vector<Threshold>& thresholds) {
    if (results.model == Model::closed || results.has_own_fault) return;
    double percentile = lag_percentile_min;
    for (const Threshold& threshold : thresholds)
        percentile = std::max(percentile, threshold.percentile);
    const std::uint64_t lag = results.send_lag.value_at(percentile);
    if (lag <= lag_max_nanoseconds) return;
    results.fell_behind = true;
    results.fell_behind_cause =
        fmt::format("p{:g} of how late it was itself is {}, more than {}", percentile,
                    duration_text(static_cast<double>(lag)),
                    duration_text(static_cast<double>(lag_max_nanoseconds)));
}

Judgement judge(const Results& results, const std::vector<Threshold>& thresholds) {
    for (const Judgement& judgement : {judge_wrong_answers(results), judge_fell_behind(results),
                                       judge_faults(results, thresholds)})
        if (judgement.code != exit_ok) return judgement;
    Judgement judgement;
    check(thresholds, results, judgement);
    check(specmail_thresholds(results), results, judgement);
    check_fetches(results, judgement);
    return judgement;
}

std::string rate_shortfall(const Results& results) {
    if (results.model == Model::closed) return "";
    const auto begun = static_cast<double>(results.sessions_begun);
    const double chance = 3 * std::sqrt(begun);
    const auto ended = static_cast<double>(results.sessions_ended);
    if (ended >= ended_share_min * begun - chance) return "";
    return fmt::format("{:.1f} sessions/s began and {:.1f} ended", begun / results.seconds,
                       rate_reached(results));
}

std::string why_not_held(const Results& results, const std::vector<Threshold>& thresholds) {
    const Judgement judgement = judge(results, thresholds);
    if (!judgement.why.empty()) return judgement.why.front();
    if (results.sessions_ended == 0) return "no session ended well";
    return rate_shortfall(results);
}

}  // namespace pop3load
