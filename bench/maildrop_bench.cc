// Opening and closing a maildrop through the real store on the real ring: lock, look, index.
// "cached": nothing has changed, and the reactor has its index in memory; "stored": it is read from
// restante.index, as after a start; "changed": one message has come, CPU time of all threads.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>

#include "maildir/maildir_store.h"
#include "ring/uring_ring.h"

namespace restante {
namespace {

class SilentLog final : public Log {
public:
    bool is_enabled(LogLevel) const override { return false; }
    void write(LogLevel, std::string_view) override {}
};

/// A Maildir in /tmp; removed at the end.
class Mail {
public:
    explicit Mail(std::int64_t messages) {
        char name[] = "/tmp/restante-bench.XXXXXX";
        root_ = ::mkdtemp(name);
        for (const char* part : {"new", "cur", "tmp"}) {
            std::filesystem::create_directories(root_ / "mrose" / part);
        }
        for (std::int64_t i = 0; i < messages; ++i) {
            const std::string file = std::to_string(1700000000 + i) + ".M1P1.bench:2,S";
            write("cur/" + file);
        }
        settle();
    }
    ~Mail() { std::filesystem::remove_all(root_); }
    void deliver() {
        write("new/" + std::to_string(1800000000 + delivered_++) + ".M1P1.bench");
        settle();
    }
    StoreOptions options() const {
        return {*MaildropPath::parse((root_ / "{user}").string()), UniqueIdPolicy(), true};
    }

private:
    void write(const std::string& file) {
        std::ofstream(root_ / "mrose" / file) << "Subject: bench\n\nA line.\n";
    }
    /// Beyond timestamp_granularity.
    static void settle() { std::this_thread::sleep_for(std::chrono::milliseconds(50)); }

    std::filesystem::path root_;
    int delivered_ = 0;
};

Task<void> open_once(Store& store, std::uint32_t& count) {
    const OpenedMaildrop opened = co_await store.open({"mrose", "", "", "bench"});
    if (opened) count = (*opened)->count();
}

/// A store over mail of its own, on the real ring; its index is made.
class Opener {
public:
    explicit Opener(benchmark::State& state)
        : state_(state),
          mail_(state.range(0)),
          options_(mail_.options()),
          ring_(make_uring_ring(helpers_, {})) {
        if (!ring_) {
            state.SkipWithError(ring_.error().c_str());
            return;
        }
        forget();
        open_and_close();
    }
    bool is_ready() const { return ring_.has_value(); }
    void deliver() {
        mail_.deliver();
        ++delivered_;
    }
    /// No index is in memory.
    void forget() { store_ = std::make_unique<MaildirStore>(**ring_, log_, buffers_, options_); }
    /// Nor will one be.
    void keep_nothing() {
        options_.index_cache_octets = 0;
        forget();
    }
    void open_and_close() {
        std::uint32_t count = 0;
        Task<void> task = open_once(*store_, count);
        task.start([](void*) {}, nullptr);
        while (!task.is_done()) (*ring_)->turn();
        if (count != state_.range(0) + delivered_)
            state_.SkipWithError("not the messages that are there");
    }

private:
    benchmark::State& state_;
    Mail mail_;
    StoreOptions options_;
    HelperPool helpers_{default_helper_sizes()};
    std::expected<std::unique_ptr<Ring>, std::string> ring_;
    SilentLog log_;
    BufferPool buffers_;
    std::unique_ptr<MaildirStore> store_;
    std::int64_t delivered_ = 0;
};

void open_unchanged(benchmark::State& state, bool is_cached) {
    Opener opener(state);
    if (!opener.is_ready()) return;
    if (!is_cached) opener.keep_nothing();
    for ([[maybe_unused]] auto _ : state) opener.open_and_close();
}

double cpu_seconds() {
    timespec time{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

void open_changed(benchmark::State& state) {
    Opener opener(state);
    if (!opener.is_ready()) return;
    for ([[maybe_unused]] auto _ : state) {
        opener.deliver();
        const double before = cpu_seconds();
        opener.open_and_close();
        state.SetIterationTime(cpu_seconds() - before);
    }
}

void open_cached(benchmark::State& state) { open_unchanged(state, true); }
void open_stored(benchmark::State& state) { open_unchanged(state, false); }

BENCHMARK(open_cached)->Arg(20)->Arg(10'000)->Unit(benchmark::kMicrosecond);
BENCHMARK(open_stored)->Arg(20)->Arg(10'000)->Unit(benchmark::kMicrosecond);
BENCHMARK(open_changed)
    ->Arg(20)
    ->Arg(10'000)
    ->Arg(100'000)
    ->Iterations(20)
    ->UseManualTime()
    ->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace restante
