#include "seed_crew.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "ending_signals.h"
#include "readable.h"
#include "terminal.h"

namespace pop3load {
namespace {

using namespace std::chrono_literals;

constexpr auto look_every = 20ms;
constexpr auto bar_every = 100ms;
constexpr auto line_every = 5s;
constexpr std::size_t bar_columns = 30;

/// What the threads of a crew share.
class Board {
public:
    explicit Board(std::uint64_t pieces) : pieces_(pieces) {}
    std::optional<std::uint64_t> take() {
        const std::uint64_t piece = next_.fetch_add(1);
        if (stopped_ || piece >= pieces_) return std::nullopt;
        return piece;
    }
    void fail(const std::string& error) {
        const std::lock_guard lock(writing_);
        if (error_.empty()) error_ = error;
        stopped_ = true;
    }
    void stop() { stopped_ = true; }
    const std::atomic<bool>& stopped() const { return stopped_; }
    /// Once the threads have ended.
    const std::string& error() const { return error_; }

private:
    const std::uint64_t pieces_;
    std::atomic<std::uint64_t> next_{0};
    std::atomic<bool> stopped_{false};
    std::mutex writing_;
    std::string error_;
};

void work_off(Board& board, const Work& work) {
    while (const std::optional<std::uint64_t> piece = board.take()) {
        const Done done = work(*piece, board.stopped());
        if (!done) board.fail(done.error());
    }
}

}  // namespace

Progress::Progress(std::string unit, std::uint64_t total, bool quiet)
    : unit_(std::move(unit)), total_(total), redraws_(can_redraw(STDERR_FILENO)), quiet_(quiet) {}

void Progress::show() {
    const Clock::time_point now = Clock::now();
    if (quiet_ || now - shown_ < (redraws_ ? Clock::duration(bar_every) : line_every)) return;
    shown_ = now;
    const std::uint64_t done_now = done();
    const double share =
        total_ == 0 ? 1 : static_cast<double>(done_now) / static_cast<double>(total_);
    const double seconds = std::chrono::duration<double>(now - begun_).count();
    const double rate = static_cast<double>(done_now) / seconds;
    std::string line = fmt::format("{} of {} {}, {:.0f} %", count_text(done_now),
                                   count_text(total_), unit_, share * 100);
    if (done_now > 0) {
        line += fmt::format(", {}/s, {:.0f} s left", count_text(static_cast<std::uint64_t>(rate)),
                            static_cast<double>(total_ - done_now) / rate);
    }
    if (!redraws_) {
        fmt::print(stderr, "{}\n", line);
        return;
    }
    fmt::print(stderr, "\r{} {}\x1b[K", bar(share, bar_columns), line);
    std::fflush(stderr);
    is_shown_ = true;
}

void Progress::clear() {
    if (!is_shown_) return;
    fmt::print(stderr, "\r\x1b[K");
    std::fflush(stderr);
    is_shown_ = false;
}

CrewOutcome run_crew(std::uint64_t pieces, std::uint32_t threads, const Work& work,
                     Progress& progress) {
    Board board(pieces);
    std::atomic<std::uint32_t> working{threads};
    std::vector<std::thread> crew;
    for (std::uint32_t i = 0; i < threads; ++i) {
        crew.emplace_back([&] {
            work_off(board, work);
            --working;
        });
    }
    bool is_interrupted = false;
    while (working > 0 && !is_interrupted) {
        is_interrupted = HeldSignals::wait(look_every);
        progress.show();
    }
    if (is_interrupted) board.stop();
    for (std::thread& thread : crew) thread.join();
    progress.clear();
    if (!board.error().empty()) return {CrewEnd::failed, board.error()};
    return {is_interrupted ? CrewEnd::interrupted : CrewEnd::done, ""};
}

}  // namespace pop3load
