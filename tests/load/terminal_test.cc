#include "terminal.h"

#include <doctest/doctest.h>

#include <cstdio>
#include <string>

using namespace pop3load;

namespace {

Moment busy_moment() {
    Moment moment;
    moment.interval.ended = 9998;
    moment.interval.in_flight = 31;
    moment.interval.latency_buckets[40] = 9998;
    moment.elapsed_seconds = 12;
    moment.total_seconds = 60;
    moment.fault_counts[static_cast<std::size_t>(Fault::closed)] = 1;
    moment.fault_counts[static_cast<std::size_t>(Fault::timed_out)] = 1200;
    return moment;
}

}  // namespace

TEST_CASE("a line has rate, in flight, percentiles, and faults by kind, most first") {
    CHECK(live_line(busy_moment()) ==
          "12 s  9,998/s  in flight 31  p50 1.12 ms  p99 1.22 ms  p99.9 1.22 ms  "
          "faults: timed_out 1,200, closed 1");
}

TEST_CASE("a second in which nothing ended has no percentiles") {
    Moment moment;
    moment.total_seconds = 60;
    moment.warming_up = true;
    CHECK(live_line(moment) == "0 s  0/s  in flight 0  p50 -  p99 -  p99.9 -  no faults  warm-up");
}

TEST_CASE("the bar shows how much is done, and never more than all") {
    Moment moment = busy_moment();
    CHECK(live_view(moment, 100)[0] == "[####....................] 12/60 s  9,998/s  in flight 31");
    moment.elapsed_seconds = 75;
    CHECK(live_view(moment, 100)[0] ==
          "[########################] 75/60 s  9,998/s  in flight 31  last sessions end");
    moment.total_seconds = 0;
    CHECK(live_view(moment, 26)[0] == "[########################]");
}

TEST_CASE("no line of the view is wider than the terminal") {
    for (std::size_t columns = 0; columns < 120; ++columns)
        for (const std::string& line : live_view(busy_moment(), columns))
            CHECK(line.size() <= columns);
}

TEST_CASE("into a file go plain lines, and nothing takes them away") {
    std::FILE* file = std::tmpfile();
    REQUIRE(file != nullptr);
    Terminal terminal(file);
    terminal.show(busy_moment());
    terminal.show(busy_moment());
    terminal.clear();
    std::rewind(file);
    std::string text(1000, '\0');
    text.resize(std::fread(text.data(), 1, text.size(), file));
    std::fclose(file);
    const std::string line = live_line(busy_moment()) + "\n";
    CHECK(text == line + line);
}
