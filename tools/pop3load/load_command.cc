#include "load_command.h"

#include <fmt/format.h>
#include <signal.h>

#include <cstdio>
#include <expected>
#include <optional>
#include <string>

#include "base/descriptor_limit.h"
#include "derived.h"
#include "ending_signals.h"
#include "exit_codes.h"
#include "report_csv.h"
#include "report_hgrm.h"
#include "report_html.h"
#include "report_json.h"
#include "report_text.h"
#include "run.h"
#include "script.h"
#include "search.h"
#include "text_file.h"

namespace pop3load {
namespace {

/// Faults of any kind, of the sessions begun, above which a run has failed (SPECmail2001 §2).
constexpr double fault_share_max = 0.01;

int fail(const std::string& sentence) {
    std::fprintf(stderr, "pop3load: %s\n", sentence.c_str());
    return exit_failed;
}

bool write_file(const std::string& path, const std::string& text) {
    const std::expected<void, std::string> written = write_text_file(path, text);
    if (!written) fail(fmt::format("cannot write {}: {}", path, written.error()));
    return written.has_value();
}

bool write_reports(const Options& options, const Results& results) {
    const restante::Histogram& latency = results.of(Step::session).corrected;
    const bool json =
        options.json_path.empty() || write_file(options.json_path, json_report(results));
    const bool csv = options.csv_path.empty() ||
                     (write_file(options.csv_path, csv_report(results)) &&
                      write_file(csv_seconds_path(options.csv_path), csv_seconds_report(results)));
    const bool hgrm =
        options.hgrm_path.empty() || write_file(options.hgrm_path, hgrm_report(latency));
    const bool html =
        options.html_path.empty() || write_file(options.html_path, html_report(results));
    return json && csv && hgrm && html;
}

/// SPECmail2001's quality of service: 95 % of each step under 5 s. Its allowance for the size of a
/// message (5 s and a second for 3,000 octets) is not made use of.
std::vector<Threshold> specmail_thresholds(const Results& results) {
    std::vector<Threshold> thresholds;
    const Profile* profile = find_profile(results.profile);
    if (profile == nullptr || !profile->is_specmail) return thresholds;
    for (std::size_t i = 0; i < steps; ++i) {
        const auto step = static_cast<Step>(i);
        if (step == Step::session || results.latencies[i].corrected.count() == 0) continue;
        thresholds.push_back({.text = fmt::format("{}.p95<5s", step_names[i]),
                              .figure = Threshold::Figure::percentile,
                              .step = step,
                              .percentile = 95,
                              .comparison = Threshold::Comparison::less,
                              .bound = 5e9});
    }
    return thresholds;
}

/// Says which of `thresholds` do not hold.
int check(const std::vector<Threshold>& thresholds, const Results& results) {
    int code = exit_ok;
    for (const Verdict& verdict : evaluate(thresholds, results)) {
        if (!verdict.holds)
            code = fail(fmt::format("{} does not hold: {}", verdict.text, verdict.actual));
    }
    return code;
}

/// What the run is worth, said on stderr where it is not exit_ok.
int judge(const Results& results, const std::vector<Threshold>& thresholds) {
    if (results.fell_behind) {
        fail("the generator fell behind, so this measured the generator: " +
             results.fell_behind_cause + "; lower --rate, raise --threads, or use another machine");
        return exit_fell_behind;
    }
    for (std::size_t i = 0; i < faults; ++i) {
        if (results.fault_counts[i] > 0 && is_wrong_answer(static_cast<Fault>(i)))
            return fail(fmt::format("wrong answers: {} {} times, first: {}", fault_names[i],
                                    results.fault_counts[i], results.fault_examples[i]));
    }
    bool bounds_errors = false;
    for (const Threshold& threshold : thresholds)
        bounds_errors |= threshold.figure == Threshold::Figure::errors;
    if (has_no_result(results)) {
        std::string why;
        for (const std::string& example : results.fault_examples)
            if (why.empty()) why = example;
        return fail("no session ended well" + (why.empty() ? "" : ": " + why));
    }
    const auto begun = static_cast<double>(results.sessions_begun);
    if (!bounds_errors && static_cast<double>(results.fault_total()) > fault_share_max * begun)
        return fail(fmt::format("{} faults in {} sessions: more than 1 %", results.fault_total(),
                                results.sessions_begun));
    const int asked = check(thresholds, results);
    const int standing = check(specmail_thresholds(results), results);
    return asked != exit_ok ? asked : standing;
}

std::optional<std::vector<Threshold>> thresholds_of(const std::vector<std::string>& texts) {
    std::vector<Threshold> all;
    for (const std::string& text : texts) {
        const std::expected<std::vector<Threshold>, std::string> parsed = parse_thresholds(text);
        if (!parsed) {
            fail(parsed.error());
            return std::nullopt;
        }
        all.insert(all.end(), parsed->begin(), parsed->end());
    }
    return all;
}

int several(const Setting& setting, double rate, const std::vector<Threshold>& thresholds) {
    bool was_interrupted = false;
    const Options& options = setting.options;
    const bool searches = !options.find_max.empty();
    const std::expected<std::vector<Stage>, std::string> stages =
        searches ? find_max_rate(setting, thresholds, was_interrupted)
                 : run_stages(setting, rate, thresholds, was_interrupted);
    if (!stages) return fail(stages.error());
    std::fputs(stages_report(*stages).c_str(), stdout);
    const Stage* chosen = nullptr;  // the highest that holds; of stages, the last
    for (const Stage& stage : *stages) {
        const bool is_better = chosen == nullptr || stage.rate > chosen->rate;
        if (searches ? stage.holds && is_better : true) chosen = &stage;
    }
    if (was_interrupted) return exit_interrupted;
    if (chosen == nullptr) return fail("no rate holds: " + options.find_max);
    if (searches) std::printf("highest rate that holds: %.1f sessions/s\n", chosen->rate);
    if (!write_reports(options, chosen->results)) return exit_failed;
    if (searches) return exit_ok;
    for (const Stage& stage : *stages)
        if (const int code = judge(stage.results, thresholds); code != exit_ok) return code;
    return exit_ok;
}

int single(const Setting& setting, const Load& load, const std::vector<Threshold>& thresholds) {
    bool was_interrupted = false;
    const std::expected<Results, std::string> results = run_load(setting, load, was_interrupted);
    if (!results) return fail(results.error());
    std::fputs(text_report(*results).c_str(), stdout);
    if (!write_reports(setting.options, *results)) return exit_failed;
    return was_interrupted ? exit_interrupted : judge(*results, thresholds);
}

}  // namespace

int load_command(const Options& options) {
    const HeldSignals held;
    ::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes to sockets that were closed
    restante::raise_descriptor_limit();
    std::vector<std::string> texts = options.thresholds;
    if (!options.find_max.empty()) texts.push_back(options.find_max);
    const std::optional<std::vector<Threshold>> thresholds = thresholds_of(texts);
    if (!thresholds) return exit_usage;
    const std::expected<Setting, std::string> setting = Setting::from(options);
    if (!setting) {
        fail(setting.error());
        return exit_usage;
    }
    const double rate = options.rate.value_or(setting->natural_rate());
    if (!options.find_max.empty() || !options.stages.empty()) {
        if (options.find_max.empty() && rate == 0) {
            fail("--stages are shares of --rate");
            return exit_usage;
        }
        return several(*setting, rate, *thresholds);
    }
    if (options.connections)
        return single(*setting, {.rate = 0, .connections = *options.connections}, *thresholds);
    if (rate == 0) {
        fail("say --rate SESSIONS (a second; open model) or --connections N (closed model)");
        return exit_usage;
    }
    return single(*setting, {.rate = rate, .connections = 0}, *thresholds);
}

}  // namespace pop3load
