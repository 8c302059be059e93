/// The reports, of runs made up: every figure where its reader looks for it.

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "derived.h"
#include "json_writer.h"
#include "readable.h"
#include "report_csv.h"
#include "report_hgrm.h"
#include "report_html.h"
#include "report_json.h"
#include "report_text.h"
#include "results.h"
#include "sample_results.h"

using namespace pop3load;

namespace {

bool has(std::string_view text, std::string_view part) { return text.contains(part); }

std::vector<std::string> lines_of(std::string_view text) {
    std::vector<std::string> lines;
    while (!text.empty()) {
        const std::size_t end = text.find('\n');
        lines.emplace_back(text.substr(0, end));
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    }
    return lines;
}

std::size_t columns_of(const std::string& row) {
    return static_cast<std::size_t>(std::ranges::count(row, ',')) + 1;
}

std::vector<StageSummary> sample_stages() {
    return {{.reached = 900, .connections = 8, .why_not = ""},
            {.rate = 630, .reached = 629.5, .p99 = 1'500'000, .why_not = ""},
            {.rate = 945, .reached = 800, .faults = 3, .why_not = "late"}};
}

}  // namespace

TEST_CASE("durations have three digits and the unit that fits") {
    CHECK(duration_text(0) == "0 ns");
    CHECK(duration_text(812) == "812 ns");
    CHECK(duration_text(31'240) == "31.2 us");
    CHECK(duration_text(999'960) == "1.00 ms");
    CHECK(duration_text(1'204'000) == "1.20 ms");
    CHECK(duration_text(12.3e9) == "12.3 s");
    CHECK(duration_text(3600e9) == "3600 s");
}

TEST_CASE("counts have commas, octets their unit, and only nothing is 0 %") {
    CHECK(count_text(0) == "0");
    CHECK(count_text(999) == "999");
    CHECK(count_text(59'922) == "59,922");
    CHECK(count_text(1'000'000) == "1,000,000");
    CHECK(octets_text(512) == "512 octets");
    CHECK(octets_text(1280) == "1.25 KiB");
    CHECK(share_text(0) == "0 %");
    CHECK(share_text(0.0002) == "0.02 %");
    CHECK(share_text(1e-9) == "1.0e-07 %");
}

TEST_CASE("what a server said cannot move the cursor, and other text stays") {
    CHECK(printable("plain, \xC3\xA9 \xE2\x82\xAC \xF0\x9F\x93\xAC") ==
          "plain, \xC3\xA9 \xE2\x82\xAC \xF0\x9F\x93\xAC");
    CHECK(printable("\x1b[2J\r\n\x7f") == "\\x1b[2J\\x0d\\x0a\\x7f");
    CHECK(printable("\xC2\x9B"
                    "31m") == "\\xc2\\x9b31m");  // C1: CSI
    CHECK(printable("\xC0\xAF \xED\xA0\x80 \xF5") == "\\xc0\\xaf \\xed\\xa0\\x80 \\xf5");
    CHECK(printable("cut \xE2\x82") == "cut \\xe2\\x82");
}

TEST_CASE("JSON strings escape what ends a string or an HTML script element") {
    JsonWriter json;
    json.string("a\"b\\c\n</script>&\x01\xE2\x80\xA8\xff\xC3\xA9");
    CHECK(json.take() ==
          "\"a\\u0022b\\u005cc\\u000a\\u003c/"
          "script\\u003e\\u0026\\u0001\\u2028\xEF\xBF\xBD\xC3\xA9\"\n");
}

TEST_CASE("JSON: numbers read back the same, and what is no number is null") {
    JsonWriter json;
    json.open_object()
        .key("a")
        .open_array()
        .number(0.1)
        .number(1e300)
        .number(0.0 / 0.0)
        .close_array();
    json.key("b").open_object().close_object().key("c").open_object();
    json.key("d").open_array().boolean(true).integer(UINT64_MAX).open_array().null().close_array();
    json.close_array().close_object().close_object();
    CHECK(json.take() ==
          "{\n  \"a\": [\n    0.1,\n    1e+300,\n    null\n  ],\n  \"b\": {},\n  \"c\": {\n"
          "    \"d\": [true, 18446744073709551615, [null]]\n  }\n}\n");
}

TEST_CASE("the JSON report has the schema, and every figure under its name") {
    const Results results = sample_results(1);
    const std::string text = json_report(results);
    CHECK(has(text, "\"schema\": 1,"));
    CHECK(has(text, "\"rate_per_second\": 400,"));
    CHECK(has(text, "\"connections\": null,"));
    CHECK(has(text, fmt::format("\"sessions_ended\": {},", results.sessions_ended)));
    CHECK(has(text, "\"kind\": \"wrong_octets\", \"count\": 1, \"wrong_answer\": true"));
    CHECK(has(text, "\"kind\": \"timed_out\", \"count\": 23, \"wrong_answer\": false"));
    CHECK(has(text, "\"cpu_us_per_session\": 210,"));
    CHECK(has(text, "\"step\": \"retr_first\""));
    CHECK_FALSE(has(text, "\"step\": \"tls\""));
    CHECK_FALSE(has(text, "<"));
    CHECK_FALSE(has(text, "\x1b"));
}

TEST_CASE("the JSON report of the closed model and of no server has null where nothing is known") {
    Results results = empty_results();
    results.model = Model::closed;
    results.connections = 12;
    const std::string text = json_report(results);
    CHECK(has(text, "\"rate_per_second\": null,"));
    CHECK(has(text, "\"connections\": 12,"));
    CHECK(has(text, "\"server\": null,"));
    CHECK(has(text, "\"steps\": [],"));
    CHECK(has(text, "\"intervals\": []\n"));
}

TEST_CASE("the CSV reports are tables: every row has the columns of the first") {
    const Results results = sample_results(1);
    for (const std::string& text :
         {csv_report(results), csv_seconds_report(results), csv_seconds_report(empty_results())}) {
        const std::vector<std::string> rows = lines_of(text);
        for (const std::string& row : rows) CHECK(columns_of(row) == columns_of(rows[0]));
    }
    CHECK(lines_of(csv_report(results)).size() == 1 + 8);
    CHECK(lines_of(csv_seconds_report(results)).size() == 1 + 60);
    CHECK(csv_seconds_path("out/run.csv") == "out/run-seconds.csv");
    CHECK(csv_seconds_path("run") == "run-seconds");
    CHECK(csv_seconds_path(".csv") == ".csv-seconds");
}

TEST_CASE("the CSV report has microseconds, exact to the nanosecond") {
    Results results = empty_results();
    results.of(Step::stat).corrected.record(1'500);
    CHECK(lines_of(csv_report(results)).at(1) ==
          "stat,1,1.500,1.500,1.500,1.500,1.500,1.500,1.500,1.500,"
          "0.000,0.000,0.000,0.000,0.000,0.000,0.000,0.000");
}

TEST_CASE("the percentile distribution is the text HdrHistogram's plotter reads") {
    restante::Histogram histogram;
    for (std::uint64_t i = 1; i <= 4; ++i) histogram.record(i * 1'000'000);
    CHECK(hgrm_report(histogram) ==
          "       Value     Percentile TotalCount 1/(1-Percentile)\n\n"
          "       1.000 0.000000000000          1           1.00\n"
          "       1.000 0.100000000000          1           1.11\n"
          "       1.000 0.200000000000          1           1.25\n"
          "       2.001 0.300000000000          2           1.43\n"
          "       2.001 0.400000000000          2           1.67\n"
          "       2.001 0.500000000000          2           2.00\n"
          "       3.000 0.550000000000          3           2.22\n"
          "       3.000 0.600000000000          3           2.50\n"
          "       3.000 0.650000000000          3           2.86\n"
          "       3.000 0.700000000000          3           3.33\n"
          "       3.000 0.750000000000          3           4.00\n"
          "       4.000 0.775000000000          4           4.44\n"
          "       4.000 1.000000000000          4\n"
          "#[Mean    =        2.500, StdDeviation   =        1.118]\n"
          "#[Max     =        4.000, Total count    =            4]\n"
          "#[Buckets =           32, SubBuckets     =         2048]\n");
}

TEST_CASE("a spectrum never falls, ends with the largest value, and is empty for no values") {
    const Results results = sample_results(2);
    const auto& whole = results.of(Step::session).corrected;
    const std::vector<SpectrumPoint> points = percentile_spectrum(whole, 10);
    for (std::size_t i = 1; i < points.size(); ++i) {
        CHECK(points[i].percentile > points[i - 1].percentile);
        CHECK(points[i].value >= points[i - 1].value);
        CHECK(points[i].value == whole.value_at(points[i].percentile));
    }
    CHECK(points.back().percentile == 100);
    CHECK(points.back().value == whole.max());
    CHECK(points.back().count == whole.count());
    CHECK(percentile_spectrum({}, 10).empty());
}

TEST_CASE("a latency is counted in the bucket that its percentile is read from") {
    for (const std::uint64_t nanoseconds :
         {0ULL, 999ULL, 1'000ULL, 1'500ULL, 310'000ULL, 1'024'000ULL, 59'000'000'000ULL}) {
        LatencyBuckets buckets{};
        count_latency(buckets, nanoseconds);
        const double exact = std::max(static_cast<double>(nanoseconds) / 1e3, 1.0);
        CHECK(bucket_percentile(buckets, 50) >= exact * 0.9999);
        CHECK(bucket_percentile(buckets, 50) <= exact * 1.19);
    }
    LatencyBuckets longest{};
    count_latency(longest, UINT64_MAX);
    CHECK(longest.back() == 1);
}

TEST_CASE("a percentile of an interval's buckets lies in the bucket that holds it") {
    LatencyBuckets buckets{};
    CHECK(bucket_percentile(buckets, 99) == 0);
    buckets[40] = 99;  // 1,024 to 1,218 us
    buckets[60] = 1;   // 32,768 to 38,968 us
    CHECK(bucket_percentile(buckets, 50) >= 1024);
    CHECK(bucket_percentile(buckets, 50) < 1218);
    CHECK(bucket_percentile(buckets, 99) <= 1218);
    CHECK(bucket_percentile(buckets, 99.9) >= 32768);
    CHECK(bucket_percentile(buckets, 99.9) <= 38968);
}

TEST_CASE("the summary tells rate, latency of both kinds, faults, and what the server used") {
    const std::string text = text_report(sample_results(1));
    CHECK(has(text, "drain at 127.0.0.1:110: open model, 400 sessions/s asked, "));
    CHECK(has(text, "from the intended start (corrected)"));
    CHECK(has(text, "from the actual start (uncorrected)"));
    CHECK(has(text, "\nFaults: 27 of "));
    CHECK(has(text, "\n  timed_out                      23  no octet for 2 s after PASS\n"));
    CHECK(has(text, "WRONG ANSWER: \"+OK</script>"));
    CHECK(has(text, "  CPU: 210.0 us a session, 42.0 us a command, 210.0 us a message\n"));
    CHECK(has(text, "\nThe server answered wrongly in 1 session: the run fails.\n"));
    CHECK_FALSE(has(text, "fell behind"));
    CHECK_FALSE(has(text, "\x1b"));
    for (const std::string& line : lines_of(text))
        if (!has(line, "WRONG ANSWER")) CHECK(line.size() <= 80);
}

TEST_CASE("the summary says when the generator, not the server, was the limit") {
    Results results = empty_results();
    results.fell_behind = true;
    results.fell_behind_cause = "its threads were busy 99 % of the time";
    const std::string text = text_report(results);
    CHECK(has(text, "The generator fell behind: its threads were busy 99 % of the time.\n"));
    CHECK(has(text, "this is no result. Lower --rate"));
    CHECK(has(text, "No step was measured."));
    CHECK(has(text, "No session ended well: there is no result."));
}

TEST_CASE(
    "the summary says who made sessions late, what could not be verified, and what it lacked") {
    Results results = empty_results();
    results.waited_for_user = 1'234;
    results.waited_for_connection = 5;
    results.bodies_verified = 10;
    results.bodies_unmarked = 7;
    std::string text = text_report(results);
    CHECK(has(text,
              "  1,234 sessions began late because every user had one already: --user-count\n"));
    CHECK(has(text, "  5 sessions began late because --in-flight others were under way\n"));
    CHECK(has(text, ", 10 bodies verified, 7 without a mark of pop3load seed\n"));
    results.fell_behind = results.has_own_fault = true;
    results.fell_behind_cause = "Too many open files";
    text = text_report(results);
    CHECK(has(text, "The generator could not go on: Too many open files.\n"));
    CHECK_FALSE(has(text, "fell behind"));
    text = json_report(results);
    CHECK(has(text, "\"waited_for_user\": 1234,"));
    CHECK(has(text, "\"bodies_unmarked\": 7\n"));
    CHECK(has(text, "\"own_fault\": true,\n"));
}

TEST_CASE("the reports say what makes a run another one than was asked for") {
    Results results = empty_results();
    CHECK_FALSE(has(text_report(results), "TLS"));
    results.tls_handshakes = 1'000;
    results.tls_resumed_share = 0.5;
    results.looked_again_seconds = 2.125;
    std::string text = text_report(results);
    CHECK(has(text, "TLS: 1,000 handshakes, 0 resumed (50.0 % asked)\n"));
    CHECK(has(text, "  a mailbox was looked at again after 2.12 s, SPECmail2001 has 300 s"));
    results.looked_again_seconds = 300;
    CHECK_FALSE(has(text_report(results), "looked at again"));
    text = json_report(results);
    CHECK(has(text, "\"tls_handshakes\": 1000,\n"));
    CHECK(has(text, "\"looked_again_seconds\": 300,\n"));
}

TEST_CASE("a closed loop that never had to wait for the server says so") {
    Results results = sample_results(1);
    results.model = Model::closed;
    results.connections = 64;
    const double available = results.seconds * results.threads;
    results.generator_idle_seconds = 0.06 * available;
    CHECK_FALSE(is_saturated(results));
    results.generator_idle_seconds = 0.04 * available;
    CHECK(is_saturated(results));
    CHECK(has(text_report(results), "it had to wait for the server in 4.00 % of the time only"));
    CHECK(has(json_report(results), "\"saturated\": true,\n"));
    results.model = Model::open;
    CHECK_FALSE(is_saturated(results));
}

TEST_CASE("of several runs the report has all in short") {
    Results results = sample_results(1);
    CHECK(has(json_report(results), "\"stages\": null,\n"));
    results.stages = sample_stages();
    const std::string text = json_report(results);
    CHECK(has(text, "\"rate_per_second\": null, \"sessions_per_second\": 900, "));
    CHECK(has(text, "\"rate_per_second\": 630, \"sessions_per_second\": 629.5, "));
    CHECK(has(text, "\"p99_us\": 1500, "));
    CHECK(has(text, "\"faults\": 3, \"holds\": false, \"why_not\": \"late\""));
}

TEST_CASE("that no session ended well is no failure where they last or are longer than the run") {
    Results results = empty_results();
    CHECK(has_no_result(results));
    results.commands = 1;
    CHECK_FALSE(has_no_result(results));
    results.commands = 0;
    results.profile = "idle";
    CHECK_FALSE(has_no_result(results));
    results.fault_counts[static_cast<std::size_t>(Fault::closed)] = 1;
    CHECK(has_no_result(results));
    results.sessions_ended = 1;
    CHECK_FALSE(has_no_result(results));
}

TEST_CASE("the summary of the closed model says what its latency hides, and has it once") {
    Results results = sample_results(1);
    results.model = Model::closed;
    results.connections = 64;
    const std::string text = text_report(results);
    CHECK(has(text, "closed model, 64 connections"));
    CHECK(has(text, "a stall delays what it should have measured"));
    CHECK_FALSE(has(text, "uncorrected"));
}

TEST_CASE("nothing that a server said leaves the page's data") {
    const std::string page = html_report(sample_results(1));
    CHECK_FALSE(has(page, "document.title='x'</script>"));
    CHECK(has(page, "document.title='x'\\u003c/script\\u003e"));
    CHECK_FALSE(has(page, "{{"));
    CHECK(has(page, "Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-"));
    // Two elements of script: the data, and what draws it.
    std::size_t ends = 0;
    for (std::size_t at = page.find("</script"); at != std::string::npos;
         at = page.find("</script", at + 1))
        ++ends;
    CHECK(ends == 2);
}

/// The name of the report, and where: tests/system/load_report_test.py opens it in a browser.
TEST_CASE("a report is written to REPORT_OUT for the browser test to open") {
    const char* path = std::getenv("REPORT_OUT");
    const char* kind = std::getenv("REPORT_KIND");
    if (path == nullptr || kind == nullptr) return;
    Results results = std::string_view(kind) == "empty" ? empty_results() : sample_results(1);
    if (std::string_view(kind) == "closed") {
        results.model = Model::closed;
        results.connections = 64;
        results.server.reset();
    }
    if (std::string_view(kind) == "stages") results.stages = sample_stages();
    const std::string page = html_report(results);
    std::FILE* file = std::fopen(path, "wb");
    REQUIRE(file != nullptr);
    CHECK(std::fwrite(page.data(), 1, page.size(), file) == page.size());
    CHECK(std::fclose(file) == 0);
}
