#include "server/reactor_log.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "passing_ring.h"
#include "sim/sim_ring.h"

namespace restante::sim {
namespace {

/// Notes how much each write of the log was asked to take.
class WriteSizes final : public PassingRing {
public:
    using PassingRing::PassingRing;
    bool attempt(Operation& operation) override {
        if (operation.request.kind == Request::Kind::write) {
            octets.push_back(operation.request.source.size());
            last_octets.push_back(operation.request.source.back());
        }
        return PassingRing::attempt(operation);
    }
    std::vector<std::size_t> octets;
    std::string last_octets;
};

/// What a thousand lines within one turn are written as.
std::vector<std::size_t> sizes_of_writes(std::size_t write_octets) {
    SimRing sim({});
    WriteSizes ring(sim);
    const int sink = sim.open_sink();
    ReactorLog log(ring, sink, LogLevel::info, "restante", write_octets);
    for (int i = 0; i < 1'000; ++i) log.write(LogLevel::info, "line " + std::to_string(i));
    log.flush();
    while (!log.is_flushed()) sim.turn();
    const std::string written = sim.written(sink);
    CHECK(written.ends_with("line 999\n"));
    CHECK(std::ranges::count(written, '\n') == 1'000);
    CHECK(ring.last_octets == std::string(ring.octets.size(), '\n'));
    return ring.octets;
}

TEST_CASE("a pipe gets whole lines, no more of them than it takes unmixed; a file gets all") {
    const std::vector<std::size_t> to_pipe = sizes_of_writes(ReactorLog::pipe_write_octets);
    CHECK(to_pipe.size() > 10);
    for (const std::size_t octets : to_pipe) CHECK(octets <= 4096);
    CHECK(sizes_of_writes(ReactorLog::file_write_octets).size() == 1);
}

TEST_CASE("only a regular file takes long writes") {
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::tmpfile(), &std::fclose);
    REQUIRE(file != nullptr);
    CHECK(ReactorLog::write_octets_of(::fileno(file.get())) == ReactorLog::file_write_octets);
    int pipe[2];
    REQUIRE(::pipe(pipe) == 0);
    CHECK(ReactorLog::write_octets_of(pipe[1]) == ReactorLog::pipe_write_octets);
    ::close(pipe[0]);
    ::close(pipe[1]);
    CHECK(ReactorLog::write_octets_of(-1) == ReactorLog::pipe_write_octets);
}

}  // namespace
}  // namespace restante::sim
