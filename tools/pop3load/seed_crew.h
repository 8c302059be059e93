#pragma once
/// Threads that do many pieces of work, while the caller's thread shows how far they are and
/// watches for SIGINT and SIGTERM.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

#include "seed_folder.h"

namespace pop3load {

/// How far it is, on stderr: a bar on a terminal, else a line now and then.
class Progress {
public:
    /// `total` of `unit` ("messages") are to be made.
    Progress(std::string unit, std::uint64_t total, bool quiet);
    /// By any thread.
    void add(std::uint64_t count) { done_.fetch_add(count, std::memory_order_relaxed); }
    std::uint64_t done() const { return done_.load(std::memory_order_relaxed); }

    /// What follows: one thread. Prints where enough time has passed.
    void show();
    /// Takes the bar away.
    void clear();

private:
    using Clock = std::chrono::steady_clock;
    std::string unit_;
    std::uint64_t total_;
    bool redraws_;
    bool quiet_;
    bool is_shown_ = false;
    Clock::time_point begun_ = Clock::now();
    Clock::time_point shown_ = begun_;
    std::atomic<std::uint64_t> done_{0};
};

enum class CrewEnd : std::uint8_t { done, failed, interrupted };
struct CrewOutcome {
    CrewEnd end;
    std::string error;  ///< of the first piece that failed
};
/// Does `work` for 0 to `pieces` - 1 on `threads` threads (at least 1). Work of some length asks
/// `stopped` now and then and returns early. While HeldSignals hold.
using Work = std::function<Done(std::uint64_t piece, const std::atomic<bool>& stopped)>;
CrewOutcome run_crew(std::uint64_t pieces, std::uint32_t threads, const Work& work,
                     Progress& progress);

}  // namespace pop3load
