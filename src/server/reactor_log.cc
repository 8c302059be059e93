#include "server/reactor_log.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <utility>

#include "base/system_time.h"

namespace restante {
namespace {

constexpr std::size_t milliseconds_at = std::string_view("2026-11-21T04:16:15.").size();

const char* level_word(LogLevel level) {
    switch (level) {
        case LogLevel::debug: return "debug: ";
        case LogLevel::info: return "";
        case LogLevel::warn: return "warning: ";
        case LogLevel::error: return "error: ";
    }
    ASSERT(!"a LogLevel");
}

}  // namespace

void LogLineFormat::append(std::string& target, WallTime when, LogLevel level,
                           std::string_view message) {
    const std::int64_t seconds = when.nanoseconds / 1'000'000'000;
    if (seconds != seconds_) begin_second(seconds);
    auto milliseconds = static_cast<int>(when.nanoseconds / 1'000'000 % 1000);
    for (std::size_t at = milliseconds_at + 3; at-- > milliseconds_at; milliseconds /= 10)
        begin_[at] = static_cast<char>('0' + milliseconds % 10);
    target.append(begin_).append(level_word(level)).append(message).push_back('\n');
}

void LogLineFormat::begin_second(std::int64_t seconds) {
    std::tm utc{};
    ::gmtime_r(&seconds, &utc);
    begin_ = fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.000Z {}[{}]: ", utc.tm_year + 1900,
                         utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, ident_,
                         process_id());
    seconds_ = seconds;
}

std::size_t ReactorLog::write_octets_of(int file) {
    struct stat status;
    const bool is_regular = ::fstat(file, &status) == 0 && S_ISREG(status.st_mode);
    return is_regular ? file_write_octets : pipe_write_octets;
}

void ReactorLog::write(LogLevel level, std::string_view message) {
    if (!is_enabled(level)) return;
    if (pending_.size() + message.size() > pending_octets_max) {
        ++dropped_;
        return;
    }
    if (dropped_ > 0) {
        const std::string lost =
            fmt::format("{} log lines dropped: the log target is too slow", dropped_);
        dropped_ = 0;
        format_.append(pending_, ring_.wall_time(), LogLevel::warn, lost);
    }
    format_.append(pending_, ring_.wall_time(), level, message);
}

void ReactorLog::flush() {
    if (is_writing_ || pending_.empty()) return;
    is_writing_ = true;
    writing_ = write_pending();
    writing_.start([](void* self) { static_cast<ReactorLog*>(self)->is_writing_ = false; }, this);
}

// A log that takes nothing must not hold anything up, least of all the server's end: what it did
// not take is counted and forgotten.
Task<void> ReactorLog::write_pending() {
    while (!pending_.empty()) {
        std::size_t taken = pending_.size();
        if (taken > write_octets_max_) taken = pending_.rfind('\n', write_octets_max_ - 1) + 1;
        if (taken == 0) taken = pending_.find('\n') + 1;
        in_flight_.assign(pending_, 0, taken);
        pending_.erase(0, taken);
        const Instant deadline = ring_.now() + write_time_max;
        const std::int64_t written =
            co_await perform(ring_, Request::write(file_, in_flight_).until(deadline));
        if (written < 0) {
            in_flight_ += std::exchange(pending_, {});
            dropped_ += static_cast<std::uint64_t>(std::ranges::count(in_flight_, '\n'));
        }
        if (pending_.size() >= write_octets_max_) continue;
        const Instant gathered = ring_.now() + gather_max;
        co_await perform(ring_, Request::sleep().until(gathered));
    }
}

void DirectLog::write(LogLevel level, std::string_view message) {
    if (!is_enabled(level)) return;
    std::string line;
    format_.append(line, system_time(), level, message);
    pollfd room{file_, POLLOUT, 0};
    constexpr int patience_ms = 1000;
    if (::poll(&room, 1, patience_ms) <= 0) return;
    [[maybe_unused]] const ssize_t written = ::write(file_, line.data(), line.size());
}

}  // namespace restante
