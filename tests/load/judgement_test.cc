/// What a run is worth, and what a search makes of it: of results made by hand.

#include "judgement.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "search.h"

using namespace pop3load;

namespace {

void add(Results& results, Fault fault, std::uint64_t count, const std::string& example) {
    results.fault_counts[static_cast<std::size_t>(fault)] += count;
    results.fault_examples[static_cast<std::size_t>(fault)] = example;
}

/// 10 s in which `ended` of `begun` sessions ended well, after 1 ms each.
Results run_of(std::uint64_t begun, std::uint64_t ended) {
    Results results;
    results.seconds = 10;
    results.profile = "poll";
    results.sessions_begun = begun;
    results.sessions_ended = ended;
    results.commands = 4 * begun;
    for (std::uint64_t i = 0; i < ended; ++i) results.of(Step::session).corrected.record(1'000'000);
    return results;
}

std::string why(const Results& results) {
    const Judgement judgement = judge(results, {});
    return judgement.why.empty() ? "" : judgement.why.front();
}

/// A server that does 1,000 sessions a second and no more; `spoil` changes a run.
using Spoil = void (*)(const Load& load, Results& results);
Runner server_of_1000(Spoil spoil) {
    return [spoil](const Load& load, bool&) -> std::expected<Results, std::string> {
        const double rate = load.rate > 0 ? load.rate : 1000;
        Results results = run_of(static_cast<std::uint64_t>(rate * 10),
                                 static_cast<std::uint64_t>(std::min(rate, 1000.0) * 10));
        results.rate = load.rate;
        results.connections = load.connections;
        results.model = load.rate > 0 ? Model::open : Model::closed;
        spoil(load, results);
        return results;
    };
}

std::vector<Stage> searched(Spoil spoil, std::string_view thresholds = "p99<50ms") {
    bool was_interrupted = false;
    const auto parsed = parse_thresholds(thresholds);
    REQUIRE(parsed.has_value());
    const auto stages = find_max_rate(server_of_1000(spoil), 8, *parsed, was_interrupted);
    REQUIRE(stages.has_value());
    return *stages;
}

}  // namespace

TEST_CASE(
    "one malformed answer in a thousand sessions fails the run, one refused command does not") {
    Results results = run_of(1'000, 1'000);
    CHECK(judge(results, {}).code == exit_ok);
    add(results, Fault::command_refused, 1, "-ERR");
    CHECK(judge(results, {}).code == exit_ok);
    add(results, Fault::malformed_answer, 1, "a status line that ends in LF alone (NOOP of user3)");
    CHECK(judge(results, {}).code == exit_failed);
    CHECK(
        why(results) ==
        "wrong answers: malformed_answer 1 times, first: a status line that ends in LF alone (NOOP "
        "of user3)");
}

TEST_CASE("wrong answers are told also of a run in which the generator fell behind") {
    Results results = run_of(1'000, 1'000);
    results.fell_behind = true;
    results.fell_behind_cause = "late";
    CHECK(judge(results, {}).code == exit_fell_behind);
    add(results, Fault::message_lost, 1, "gone");
    CHECK(judge(results, {}).code == exit_failed);
    CHECK(why(results) == "wrong answers: message_lost 1 times, first: gone");
}

TEST_CASE(
    "the generator must have been in time at the highest percentile that is asked of the server") {
    Results results = run_of(1'000, 1'000);
    for (int i = 0; i < 1'000; ++i) results.send_lag.record(i < 980 ? 1'000 : 20'000'000);
    const auto fell_behind = [&](std::string_view thresholds) {
        Results judged = results;
        judge_generator(judged, *parse_thresholds(thresholds));
        return judged.fell_behind_cause;
    };
    CHECK(fell_behind("p50<1s") == "");  // p95 at the least, which was in time
    CHECK(fell_behind("p90<1s,errors<1%") == "");
    CHECK(fell_behind("p99<50ms") == "p99 of how late it was itself is 20.0 ms, more than 10.0 ms");
    CHECK(fell_behind("p50<1s,stat.p99.9<1s").starts_with("p99.9 of"));
    results.model = Model::closed;
    CHECK(fell_behind("p99<50ms") == "");
}

TEST_CASE("what the generator lacks is told as the generator's") {
    Results results = run_of(100, 50);
    results.fell_behind = results.has_own_fault = true;
    results.fell_behind_cause = "Too many open files";
    CHECK(judge(results, {}).code == exit_fell_behind);
    CHECK(why(results) ==
          "the generator could not go on, which says nothing of the server: Too many open files");
}

TEST_CASE("more faults than 1 % fail a run, with the first of them") {
    Results results = run_of(1'000, 980);
    add(results, Fault::closed, 20, "the server closed during stat");
    CHECK(why(results) ==
          "20 faults in 1000 sessions: more than 1 %, first: the server closed during stat");
    CHECK(judge(results, *parse_thresholds("errors<5%")).code == exit_ok);
}

TEST_CASE("a rate at which fewer sessions end than begin is not reached") {
    CHECK(rate_shortfall(run_of(10'000, 9'990)).empty());
    CHECK(rate_shortfall(run_of(20, 14)).empty());  // so few may be chance
    CHECK(rate_shortfall(run_of(12'064, 7'720)) == "1206.4 sessions/s began and 772.0 ended");
    Results closed = run_of(10'000, 7'000);
    closed.model = Model::closed;
    CHECK(rate_shortfall(closed).empty());
}

TEST_CASE("the highest rate is one that the server reached, however wide the thresholds") {
    const auto stages = searched([](const Load&, Results&) {});
    const Stage* highest = highest_held(stages);
    REQUIRE(highest != nullptr);
    CHECK(highest->rate > 950);
    CHECK(highest->rate < 1'090);
    CHECK_FALSE(is_limited_by_generator(stages));
    CHECK(stages_report(summaries(stages)).contains("ended"));
}

TEST_CASE("a search goes on above what the closed model reached, to a rate that fails") {
    const auto stages = searched([](const Load& load, Results& results) {
        if (load.rate == 0) results.sessions_ended /= 5;  // a far network, and few connections
    });
    const Stage* highest = highest_held(stages);
    REQUIRE(highest != nullptr);
    CHECK(highest->rate > 950);
    CHECK(highest->rate < 1'090);
}

TEST_CASE("SPECmail2001 gives RETR 5 s and a second for every 3,000 octets, 5 % may be later") {
    Results results = run_of(1'000, 1'000);
    results.profile = "specmail2001";
    results.messages = 1'000;
    results.messages_late = 50;
    for (int i = 0; i < 1'000; ++i)
        results.of(Step::retr_last).corrected.record(300'000'000'000);  // long, and large
    CHECK(judge(results, {}).code == exit_ok);
    results.messages_late = 51;
    CHECK(judge(results, {}).code == exit_failed);
    CHECK(why(results) ==
          "51 of 1000 messages took longer than 5 s and a second for every 3,000 octets: more than "
          "5 %");
    results.profile = "drain";
    CHECK(judge(results, {}).code == exit_ok);
}

TEST_CASE("a wrong answer ends a search, in the probe too") {
    const auto at_once = searched(
        [](const Load&, Results& results) { add(results, Fault::wrong_octets, 1, "STAT"); });
    CHECK(at_once.size() == 1);
    CHECK(highest_held(at_once) == nullptr);
    const auto later = searched([](const Load& load, Results& results) {
        if (load.rate > 800) add(results, Fault::wrong_octets, 1, "STAT");
    });
    CHECK(judge(later.back().results, {}).code == exit_failed);
    CHECK(stages_report(summaries(later))
              .contains("no: wrong answers: wrong_octets 1 times, first: STAT"));
}

TEST_CASE("a rate with more faults than 1 % does not hold, unless errors are bounded") {
    const Spoil spoil = [](const Load& load, Results& results) {
        if (load.rate > 300) add(results, Fault::closed, results.sessions_begun / 50, "closed");
    };
    const auto strict = searched(spoil);
    REQUIRE(highest_held(strict) != nullptr);
    CHECK(highest_held(strict)->rate <= 300);
    CHECK(highest_held(searched(spoil, "errors<5%"))->rate > 900);
}

TEST_CASE("a search that the generator limited says so") {
    const auto stages =
        searched([](const Load& load, Results& results) { results.fell_behind = load.rate > 500; });
    REQUIRE(highest_held(stages) != nullptr);
    CHECK(is_limited_by_generator(stages));
}
