#include "run.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <memory>
#include <thread>

#include "ending_signals.h"
#include "server_usage.h"
#include "terminal.h"
#include "worker.h"

namespace pop3load {
namespace {

/// After the end of a second the threads publish it.
constexpr std::chrono::milliseconds publishing_time{20};

/// How often it is asked whether the last sessions have ended.
constexpr std::chrono::milliseconds ending_pause{10};

double seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

void add(Interval& sum, const Interval& more) {
    sum.arrivals += more.arrivals;
    sum.ended += more.ended;
    sum.faults += more.faults;
    sum.octets += more.octets;
    sum.in_flight += more.in_flight;
    for (std::size_t i = 0; i < sum.latency_buckets.size(); ++i)
        sum.latency_buckets[i] += more.latency_buckets[i];
}

void merge(Results& sum, const Results& more) {
    sum.sessions_begun += more.sessions_begun;
    sum.sessions_ended += more.sessions_ended;
    sum.commands += more.commands;
    sum.messages += more.messages;
    sum.messages_late += more.messages_late;
    sum.tls_handshakes += more.tls_handshakes;
    sum.tls_resumed += more.tls_resumed;
    if (more.looked_again_seconds)
        sum.looked_again_seconds =
            std::min(sum.looked_again_seconds.value_or(*more.looked_again_seconds),
                     *more.looked_again_seconds);
    sum.octets += more.octets;
    sum.bodies_verified += more.bodies_verified;
    sum.bodies_unmarked += more.bodies_unmarked;
    sum.waited_for_user += more.waited_for_user;
    sum.waited_for_connection += more.waited_for_connection;
    if (more.has_own_fault && !sum.has_own_fault) {
        sum.has_own_fault = sum.fell_behind = true;
        sum.fell_behind_cause = more.fell_behind_cause;
    }
    for (std::size_t i = 0; i < faults; ++i) {
        sum.fault_counts[i] += more.fault_counts[i];
        if (sum.fault_examples[i].empty()) sum.fault_examples[i] = more.fault_examples[i];
    }
    for (std::size_t i = 0; i < steps; ++i) {
        sum.latencies[i].corrected.merge(more.latencies[i].corrected);
        sum.latencies[i].uncorrected.merge(more.latencies[i].uncorrected);
    }
    sum.send_lag.merge(more.send_lag);
}

/// The threads of one run, and what they have published.
class Run {
public:
    Run(const Setting& setting, Ledgers& ledgers, const Load& load);
    void start();
    /// To the end of the window, or until a thread cannot go on; false: interrupted.
    bool watch(UsageMeter* meter, Terminal* terminal);
    /// Waits for the last sessions unless it is or becomes interrupted.
    Results finish(bool& was_interrupted);

private:
    void stop();
    bool has_own_fault() const;
    void wait_for_threads(bool& was_interrupted);
    void describe(Results& results) const;
    void show(Terminal& terminal, Instant next);
    void collect();
    void share_out_usage();
    void measure(UsageMeter& meter);

    const Options& options_;
    const Load load_;
    Window window_;
    Instant start_;
    std::vector<std::unique_ptr<Worker>> workers_;
    std::vector<std::thread> threads_;
    std::vector<std::vector<Interval>> published_;  // a thread
    std::vector<Interval> intervals_;
    FaultCounts fault_counts_{};                // published
    std::vector<UsageSample> usage_by_second_;  // at the window's begin, and each second's end
    std::optional<ServerUsage> usage_;
};

Run::Run(const Setting& setting, Ledgers& ledgers, const Load& load)
    : options_(setting.options), load_(load), start_(clock_now()) {
    const std::uint32_t cores = std::max(std::thread::hardware_concurrency(), 1U);
    std::uint32_t threads = options_.threads == 0 ? cores : options_.threads;
    if (load.connections > 0) threads = std::min(threads, load.connections);
    // Each has a user, of the larger pool.
    const PoolCounts users = pool_counts(setting.users.count(), setting.profile.is_specmail);
    threads =
        static_cast<std::uint32_t>(std::min<std::size_t>(threads, std::max(users[0], users[1])));
    window_ = {start_ + options_.warm_up, start_ + options_.warm_up + options_.duration};
    for (std::uint32_t i = 0; i < threads; ++i) {
        const Share share{.part = {.index = i, .threads = threads},
                          .rate = load.rate,
                          .connections = (load.connections + threads - 1 - i) / threads,
                          .start = start_,
                          .window = window_};
        workers_.push_back(std::make_unique<Worker>(setting, ledgers, share));
    }
    published_.resize(threads);
}

void Run::start() {
    for (const std::unique_ptr<Worker>& worker : workers_)
        threads_.emplace_back([&worker] { worker->run(); });
}

/// Gives each second what the server used in it.
void Run::share_out_usage() {
    const std::size_t measured = std::min(intervals_.size() + 1, usage_by_second_.size());
    for (std::size_t i = 1; i < measured; ++i) {
        const UsageSample& end = usage_by_second_[i];
        intervals_[i - 1].server_cpu_seconds =
            end.cpu_seconds - usage_by_second_[i - 1].cpu_seconds;
        intervals_[i - 1].server_memory_octets = end.memory_octets;
    }
}

/// Adds up the seconds that every thread has published, and the faults.
void Run::collect() {
    std::size_t whole = SIZE_MAX;
    fault_counts_ = {};
    for (std::size_t i = 0; i < workers_.size(); ++i) {
        const Recorder::Published more = workers_[i]->recorder().take_published();
        published_[i].insert(published_[i].end(), more.intervals.begin(), more.intervals.end());
        for (std::size_t kind = 0; kind < faults; ++kind)
            fault_counts_[kind] += more.fault_counts[kind];
        whole = std::min(whole, published_[i].size());
    }
    for (std::size_t second = intervals_.size(); second < whole; ++second) {
        Interval& sum = intervals_.emplace_back();
        for (const std::vector<Interval>& thread : published_) add(sum, thread[second]);
    }
}

void Run::measure(UsageMeter& meter) {
    const std::expected<UsageSample, std::string> usage = meter.sample();
    if (!usage) return;  // it has ended: the faults tell
    usage_by_second_.push_back(*usage);
    const UsageSample& begin = usage_by_second_.front();
    const std::uint64_t memory_before = usage_ ? usage_->memory_octets_max : 0;
    usage_ = ServerUsage{
        .source = meter.source(),
        .cpu_seconds = usage->cpu_seconds - begin.cpu_seconds,
        .memory_octets_max = std::max(memory_before, usage->memory_octets),
        .voluntary_switches = usage->voluntary_switches - begin.voluntary_switches,
        .involuntary_switches = usage->involuntary_switches - begin.involuntary_switches};
}

bool Run::watch(UsageMeter* meter, Terminal* terminal) {
    // At the window's begin, its end, and every second before and between.
    Instant next = window_.begin;
    while (start_ + std::chrono::seconds(1) < next) next -= std::chrono::seconds(1);
    for (Instant last = start_; last < window_.end;
         last = next, next = std::min(next + std::chrono::seconds(1), window_.end)) {
        const Duration wait = next + publishing_time - clock_now();
        if (HeldSignals::wait(std::max(wait, Duration(0)))) return false;
        if (meter != nullptr && next >= window_.begin) measure(*meter);
        collect();
        if (terminal != nullptr) show(*terminal, next);
        if (has_own_fault()) return true;
    }
    return true;
}

void Run::show(Terminal& terminal, Instant next) {
    Moment moment;
    if (!intervals_.empty()) moment.interval = intervals_.back();
    moment.elapsed_seconds = seconds(clock_now() - start_);
    moment.total_seconds = seconds(window_.end - start_);
    moment.warming_up = next <= window_.begin;
    moment.fault_counts = fault_counts_;
    terminal.show(moment);
}

void Run::stop() {
    for (const std::unique_ptr<Worker>& worker : workers_) worker->stop();
}

bool Run::has_own_fault() const {
    return std::ranges::any_of(workers_, [](const auto& each) { return each->has_own_fault(); });
}

void Run::wait_for_threads(bool& was_interrupted) {
    const auto has_ended = [](const auto& each) { return each->has_ended(); };
    if (was_interrupted || has_own_fault()) stop();
    while (!std::ranges::all_of(workers_, has_ended)) {
        if (!HeldSignals::wait(ending_pause)) continue;
        was_interrupted = true;
        stop();
    }
    for (std::thread& thread : threads_) thread.join();
}

Results Run::finish(bool& was_interrupted) {
    const Instant ended = std::min(clock_now(), window_.end);
    wait_for_threads(was_interrupted);
    collect();
    share_out_usage();
    Results results;
    for (const std::unique_ptr<Worker>& worker : workers_) {
        merge(results, worker->recorder().results());
        results.generator_cpu_seconds += seconds(worker->cpu_time());
        results.generator_idle_seconds += seconds(worker->idle_time());
    }
    results.seconds = std::max(seconds(ended - window_.begin), 0.0);
    results.intervals = std::move(intervals_);
    results.server = usage_;
    describe(results);
    return results;
}

/// What was asked, and when.
void Run::describe(Results& results) const {
    results.command_line = options_.command_line;
    results.target = fmt::format("{}:{}", options_.host, options_.port);
    results.profile = options_.profile;
    results.model = load_.rate > 0 ? Model::open : Model::closed;
    results.rate = load_.rate;
    results.connections = load_.connections;
    results.seed = options_.seed;
    results.tls_resumed_share = options_.tls_resumed_share;
    results.threads = static_cast<std::uint32_t>(workers_.size());
    results.started_unix_seconds =
        std::time(nullptr) -
        std::chrono::duration_cast<std::chrono::seconds>(clock_now() - window_.begin).count();
}

}  // namespace

std::expected<Results, std::string> run_load(const Setting& setting, Ledgers& ledgers,
                                             const Load& load, bool& was_interrupted) {
    const Options& options = setting.options;
    std::optional<UsageMeter> meter;
    if (options.server_pid || !options.server_cgroup.empty()) {
        std::expected<UsageMeter, std::string> made =
            options.server_pid ? UsageMeter::of_process(*options.server_pid)
                               : UsageMeter::of_cgroup(options.server_cgroup);
        if (!made) return std::unexpected(made.error());
        meter = std::move(*made);
    }
    Run run(setting, ledgers, load);
    Terminal terminal(stderr);
    run.start();
    was_interrupted = !run.watch(meter ? &*meter : nullptr, options.quiet ? nullptr : &terminal);
    Results results = run.finish(was_interrupted);
    if (!options.quiet) terminal.clear();
    return results;
}

}  // namespace pop3load
