#include "load_command.h"

#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <cstdio>
#include <expected>
#include <memory>
#include <optional>
#include <string>

#include "base/descriptor_limit.h"
#include "derived.h"
#include "ending_signals.h"
#include "exit_codes.h"
#include "judgement.h"
#include "report_csv.h"
#include "report_hgrm.h"
#include "report_html.h"
#include "report_json.h"
#include "report_text.h"
#include "run.h"
#include "search.h"
#include "text_file.h"

namespace pop3load {
namespace {

/// What finds out what the server does at all, where there are as many users.
constexpr std::uint32_t probe_connections = 64;

int fail(const std::string& sentence) {
    std::fprintf(stderr, "pop3load: %s\n", sentence.c_str());
    return exit_failed;
}

bool write_file(const std::string& path, const std::string& text) {
    const std::expected<void, std::string> written = write_text_file(path, text);
    if (!written) fail(fmt::format("cannot write {}: {}", path, written.error()));
    return written.has_value();
}

/// Whether the reports can be written, asked before the run and not after minutes of it.
bool are_writable(const Options& options) {
    for (const std::string& path :
         {options.json_path, options.csv_path, options.hgrm_path, options.html_path}) {
        if (path.empty()) continue;
        const std::expected<void, std::string> checked = check_writable(path);
        if (checked) continue;
        fail(fmt::format("cannot write {}: {}", path, checked.error()));
        return false;
    }
    return true;
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

/// Says what is wrong with a run, if anything is.
int tell(const Judgement& judgement) {
    for (const std::string& why : judgement.why) fail(why);
    return judgement.code;
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

/// What each run has seen of the maildrops, the next still knows.
Runner runner(const Setting& setting, const std::vector<Threshold>& thresholds) {
    const auto ledgers = std::make_shared<Ledgers>(setting.users.count());
    return [&, ledgers](const Load& load, bool& was_interrupted) {
        std::expected<Results, std::string> results =
            run_load(setting, *ledgers, load, was_interrupted);
        if (results) judge_generator(*results, thresholds);
        return results;
    };
}

/// The run that is reported, and beside it all of them.
Results with_stages(Results reported, const std::vector<StageSummary>& stages) {
    reported.stages = stages;
    return reported;
}

/// A run in which the server answered wrongly; nullptr: none.
const Stage* first_wrong(const std::vector<Stage>& stages) {
    const auto found = std::ranges::find_if(
        stages, [](const Stage& stage) { return wrong_answers(stage.results) > 0; });
    return found == stages.end() ? nullptr : &*found;
}

/// Of a search that found nothing: because of what.
int tell_none_held(const Options& options, const std::vector<Stage>& stages) {
    const Judgement last = judge(stages.back().results, {});
    if (stages.size() == 1 || stages.back().results.has_own_fault) return tell(last);
    fail("no rate holds: " + options.find_max);
    return is_limited_by_generator(stages) ? tell(last) : exit_failed;
}

int search_max(const Setting& setting, const std::vector<Threshold>& thresholds) {
    bool was_interrupted = false;
    const Options& options = setting.options;
    const auto users = static_cast<std::uint32_t>(setting.users.count());
    const auto stages =
        find_max_rate(runner(setting, thresholds), std::min(probe_connections, users), thresholds,
                      was_interrupted);
    if (!stages) return fail(stages.error());
    const std::vector<StageSummary> all = summaries(*stages);
    std::fputs(stages_report(all).c_str(), stdout);
    const Stage* const wrong = first_wrong(*stages);
    const Stage* const highest = highest_held(*stages);
    const Stage& reported = wrong != nullptr     ? *wrong
                            : highest != nullptr ? *highest
                                                 : stages->back();
    const bool is_written = write_reports(options, with_stages(reported.results, all));
    if (wrong != nullptr) return tell(judge(wrong->results, {}));
    if (was_interrupted) return exit_interrupted;
    if (highest == nullptr) return tell_none_held(options, *stages);
    std::printf("highest rate that holds: %.1f sessions/s\n", highest->rate);
    if (!is_written) return exit_failed;
    if (!is_limited_by_generator(*stages)) return exit_ok;
    fail(
        "the server may hold more: every higher rate was too much for the generator; raise "
        "--threads, or use another machine");
    return exit_fell_behind;
}

int run_all_stages(const Setting& setting, double rate, const std::vector<Threshold>& thresholds) {
    bool was_interrupted = false;
    const Options& options = setting.options;
    const auto stages =
        run_stages(runner(setting, thresholds), rate, options.stages, thresholds, was_interrupted);
    if (!stages) return fail(stages.error());
    const std::vector<StageSummary> all = summaries(*stages);
    std::fputs(stages_report(all).c_str(), stdout);
    const Stage* const wrong = first_wrong(*stages);
    const Stage& reported = wrong != nullptr ? *wrong : stages->back();
    const bool is_written = write_reports(options, with_stages(reported.results, all));
    if (wrong != nullptr) return tell(judge(wrong->results, thresholds));
    if (was_interrupted) return exit_interrupted;
    for (const Stage& stage : *stages)
        if (const int code = tell(judge(stage.results, thresholds)); code != exit_ok) return code;
    return is_written ? exit_ok : exit_failed;
}

int single(const Setting& setting, const Load& load, const std::vector<Threshold>& thresholds) {
    bool was_interrupted = false;
    const std::expected<Results, std::string> results =
        runner(setting, thresholds)(load, was_interrupted);
    if (!results) return fail(results.error());
    std::fputs(text_report(*results).c_str(), stdout);
    const bool is_written = write_reports(setting.options, *results);
    // Wrong answers are wrong however the run ended.
    if (was_interrupted && wrong_answers(*results) == 0) return exit_interrupted;
    const int code = tell(judge(*results, thresholds));
    return is_written || code != exit_ok ? code : exit_failed;
}

int refuse(const std::string& sentence) {
    fail(sentence);
    return exit_usage;
}

}  // namespace

int load_command(const Options& options) {
    ::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes to sockets that were closed
    restante::raise_descriptor_limit();
    std::vector<std::string> texts = options.thresholds;
    if (!options.find_max.empty()) texts.push_back(options.find_max);
    const std::optional<std::vector<Threshold>> thresholds = thresholds_of(texts);
    if (!thresholds) return exit_usage;
    const std::expected<Setting, std::string> setting = Setting::from(options);
    if (!setting) return refuse(setting.error());
    const std::string refusal = setting->refusal(options.connections.value_or(0));
    if (!refusal.empty()) return refuse(refusal);
    const double rate = options.rate.value_or(setting->natural_rate());
    const bool searches = !options.find_max.empty();
    if (!options.stages.empty() && rate == 0) return refuse("--stages are shares of --rate");
    if (!searches && !options.connections && rate == 0)
        return refuse(
            "say --rate SESSIONS (a second; open model) or --connections N (closed model)");
    if (!are_writable(options)) return exit_failed;
    const HeldSignals held;
    if (searches) return search_max(*setting, *thresholds);
    if (!options.stages.empty()) return run_all_stages(*setting, rate, *thresholds);
    if (options.connections)
        return single(*setting, {.rate = 0, .connections = *options.connections}, *thresholds);
    return single(*setting, {.rate = rate, .connections = 0}, *thresholds);
}

}  // namespace pop3load
