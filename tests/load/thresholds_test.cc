#include "thresholds.h"

#include <doctest/doctest.h>

#include <string>

using namespace pop3load;

namespace {

/// 1,000 sessions of 1 to 1,000 ms in 10 s, 2 faults, 0.5 s of the server's CPU.
Results measured() {
    Results results;
    results.seconds = 10;
    results.sessions_begun = 1002;
    results.sessions_ended = 1000;
    results.fault_counts[static_cast<std::size_t>(Fault::closed)] = 2;
    Latencies& session = results.of(Step::session);
    Latencies& stat = results.of(Step::stat);
    for (std::uint64_t i = 1; i <= 1000; ++i) {
        session.corrected.record(i * 1'000'000);
        session.uncorrected.record(1000);
        stat.corrected.record(i * 1000);
    }
    results.server = ServerUsage{"pid 1", 0.5, 0, 0, 0};
    return results;
}

bool holds(std::string_view text) {
    const auto parsed = parse_thresholds(text);
    REQUIRE_MESSAGE(parsed.has_value(), parsed.error());
    return evaluate(*parsed, measured()).at(0).holds;
}

std::string actual(std::string_view text, const Results& results) {
    const auto parsed = parse_thresholds(text);
    REQUIRE_MESSAGE(parsed.has_value(), parsed.error());
    const Verdict verdict = evaluate(*parsed, results).at(0);
    CHECK(verdict.text == text);
    return verdict.actual;
}

std::string error_of(std::string_view text) {
    const auto parsed = parse_thresholds(text);
    REQUIRE_FALSE(parsed.has_value());
    return parsed.error();
}

}  // namespace

TEST_CASE(
    "a percentile is of the whole session's corrected latency, or of the step that is named") {
    CHECK(holds("p99<1s"));
    CHECK_FALSE(holds("p99<980ms"));
    CHECK(holds("p99.9<=1.0s"));
    CHECK(holds("session.p50<501ms"));
    CHECK_FALSE(holds("session.p50<499ms"));
    CHECK(holds("stat.p99<1ms"));
    CHECK(holds("stat.p99.9>990us"));
    CHECK(holds("p100>=1s"));
}

TEST_CASE("the four comparisons differ at the bound") {
    CHECK(holds("rate>=100"));
    CHECK(holds("rate<=100/s"));
    CHECK_FALSE(holds("rate<100"));
    CHECK_FALSE(holds("rate > 100"));
    CHECK(holds("rate > 99.9"));
}

TEST_CASE("errors are faults in the sessions begun; CPU is the server's, for each session") {
    CHECK(holds("errors<0.2%"));
    CHECK_FALSE(holds("errors < 0.1 %"));
    CHECK(holds("cpu_per_session<=500us"));
    CHECK_FALSE(holds("cpu_per_session<0.4ms"));
}

TEST_CASE("each of several thresholds has its verdict, in their order") {
    const auto parsed = parse_thresholds("p99<50ms, errors<1%,rate>5");
    REQUIRE(parsed.has_value());
    const std::vector<Verdict> verdicts = evaluate(*parsed, measured());
    REQUIRE(verdicts.size() == 3);
    CHECK(verdicts[0].text == "p99<50ms");
    CHECK_FALSE(verdicts[0].holds);
    CHECK(verdicts[0].actual == "990 ms");
    CHECK(verdicts[1].text == "errors<1%");
    CHECK(verdicts[1].holds);
    CHECK(verdicts[1].actual == "0.20 %");
    CHECK(verdicts[2].holds);
    CHECK(verdicts[2].actual == "100/s");
}

TEST_CASE("what was not measured does not hold, and says why") {
    const Results nothing;
    for (const std::string text : {"p99<1s", "errors<100%", "rate>0", "cpu_per_session<1s"})
        CHECK_FALSE(evaluate(*parse_thresholds(text), nothing).at(0).holds);
    CHECK(actual("p99<1s", nothing) == "no session was measured");
    CHECK(actual("tls.p99<1s", measured()) == "no tls was measured");
    CHECK(actual("errors<1%", nothing) == "no session began");
    CHECK(actual("cpu_per_session<1s", nothing) ==
          "no server is watched: give --server-pid or --server-cgroup");
}

TEST_CASE("a threshold that cannot be read is answered with the mistake and the cure") {
    const std::string form = "write it as in p99<50ms, retr_last.p99.9<1s or errors<0.1%";
    CHECK(error_of("") == "threshold \"\" compares nothing: " + form);
    CHECK(error_of("p99=50ms") == "threshold \"p99=50ms\" compares nothing: " + form);
    CHECK(error_of("p99<50ms,,rate>1") == "threshold \"\" compares nothing: " + form);
    CHECK(error_of("<5ms") == "threshold \"<5ms\" compares nothing: " + form);
    CHECK(error_of("p99<50") ==
          "threshold \"p99<50\": \"50\" is no duration: give a number and us, ms or s, as in 50ms");
    CHECK(error_of("errors<1") ==
          "threshold \"errors<1\": \"1\" is no share: errors takes per cent, as in errors<0.1%");
    CHECK(error_of("rate>5%") ==
          "threshold \"rate>5%\": \"5%\" is no rate: give sessions a second, as in rate>=1000");
    CHECK(error_of("error<1%") ==
          "threshold \"error<1%\": unknown figure \"error\": did you mean \"errors\"?");
    CHECK(error_of("retr.p99<1s") ==
          "threshold \"retr.p99<1s\": unknown step \"retr\": it is one of connect, tls, greeting, "
          "auth, capa, stat, list, uidl, retr_first, retr_last, top, dele, noop, quit, session");
    CHECK(error_of("stta.p99<1s") ==
          "threshold \"stta.p99<1s\": unknown step \"stta\": did you mean \"stat\"?");
    CHECK(error_of("p0<1s") ==
          "threshold \"p0<1s\": percentile \"p0\": give p and a number above 0 "
          "and up to 100, as in p99.9");
}

TEST_CASE("no other form of a number or a percentile is taken") {
    for (const std::string text :
         {"p101<1s",   "p-1<1s",         "p99.9.9<1s", "p9x<1s",    "p<1s",      "stat.<1s",
          ".p99<1s",   "stat.errors<1%", "p99<-1ms",   "p99<+1ms",  "p99<1e3ms", "p99<infs",
          "p99<nanms", "p99<ms",         "p99<1m",     "p99<1 m s", "p99<<1ms",  "p99<1ms<2ms",
          "p99<=>1ms", "errors<%",       "rate>",      "rate>1/m",  "p99 <",     "\x1b<1"})
        CHECK_MESSAGE(!parse_thresholds(text).has_value(), text);
    CHECK(error_of("\x1b<1").find('\x1b') == std::string::npos);
}
