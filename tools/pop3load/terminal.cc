#include "terminal.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>

#include "derived.h"
#include "readable.h"

namespace pop3load {
namespace {

constexpr std::size_t bar_columns = 24;
constexpr std::size_t columns_default = 80;
constexpr std::string_view line_up = "\x1b[A";
constexpr std::string_view clear_line = "\x1b[K";
constexpr std::string_view clear_below = "\x1b[J";

std::size_t columns_of(int descriptor) {
    winsize size{};
    if (::ioctl(descriptor, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return columns_default;
    return size.ws_col;
}

std::string rate_text(const Moment& moment) {
    return fmt::format("{}/s  in flight {}", count_text(moment.interval.ended),
                       count_text(moment.interval.in_flight));
}

std::string latency_text(const Interval& interval) {
    const auto at = [&interval](double percentile) {
        const double microseconds = bucket_percentile(interval.latency_buckets, percentile);
        return microseconds == 0 ? std::string("-") : duration_text(microseconds * 1e3);
    };
    return fmt::format("p50 {}  p99 {}  p99.9 {}", at(50), at(99), at(99.9));
}

/// By kind, most first.
std::string fault_text(const FaultCounts& counts) {
    std::array<std::size_t, faults> order{};
    for (std::size_t kind = 0; kind < faults; ++kind) order[kind] = kind;
    std::ranges::stable_sort(order, [&counts](std::size_t left, std::size_t right) {
        return counts[left] > counts[right];
    });
    std::string text;
    for (const std::size_t kind : order) {
        if (counts[kind] == 0) break;
        text += fmt::format("{}{} {}", text.empty() ? "faults: " : ", ", fault_names[kind],
                            count_text(counts[kind]));
    }
    return text.empty() ? "no faults" : text;
}

std::string_view stage(const Moment& moment) {
    if (moment.warming_up) return "  warm-up";
    return moment.elapsed_seconds >= moment.total_seconds ? "  last sessions end" : "";
}

}  // namespace

std::string bar(double share, std::size_t columns) {
    const auto filled =
        static_cast<std::size_t>(std::clamp(share, 0.0, 1.0) * static_cast<double>(columns));
    return fmt::format("[{:#<{}}{:.<{}}]", "", filled, "", columns - filled);
}

bool can_redraw(int descriptor) {
    const char* kind = std::getenv("TERM");
    return ::isatty(descriptor) == 1 && kind != nullptr && std::string_view(kind) != "dumb";
}

std::string live_line(const Moment& moment) {
    return fmt::format("{:.0f} s  {}  {}  {}{}", moment.elapsed_seconds, rate_text(moment),
                       latency_text(moment.interval), fault_text(moment.fault_counts),
                       stage(moment));
}

std::array<std::string, 2> live_view(const Moment& moment, std::size_t columns) {
    const double share = moment.elapsed_seconds / std::max(moment.total_seconds, 1e-9);
    std::array<std::string, 2> lines = {
        fmt::format("{} {:.0f}/{:.0f} s  {}{}", bar(share, bar_columns), moment.elapsed_seconds,
                    moment.total_seconds, rate_text(moment), stage(moment)),
        fmt::format("{}  {}", latency_text(moment.interval), fault_text(moment.fault_counts))};
    for (std::string& line : lines) line.resize(std::min(line.size(), columns));
    return lines;
}

Terminal::Terminal(std::FILE* file) : file_(file), redraws_(can_redraw(::fileno(file))) {}

void Terminal::show(const Moment& moment) {
    if (!redraws_) {
        write(live_line(moment) + '\n');
        return;
    }
    std::string text = shown_ ? fmt::format("\r{}{}", line_up, line_up) : std::string();
    // One column is left free: a full line would wrap on some terminals.
    for (const std::string& line : live_view(moment, columns_of(::fileno(file_)) - 1))
        text += fmt::format("{}{}\n", line, clear_line);
    write(text);
    shown_ = true;
}

void Terminal::clear() {
    if (shown_) write(fmt::format("\r{}{}{}", line_up, line_up, clear_below));
    shown_ = false;
}

/// A view that cannot be written is not worth ending a run for.
void Terminal::write(const std::string& text) {
    std::fwrite(text.data(), 1, text.size(), file_);
    std::fflush(file_);
}

}  // namespace pop3load
