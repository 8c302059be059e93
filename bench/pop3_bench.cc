// What POP3 itself costs: a command line, the passes that stuff and measure a message.

#include <benchmark/benchmark.h>

#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "pop3/byte_stuffer.h"
#include "pop3/command.h"
#include "pop3/line_reader.h"
#include "pop3/message_meter.h"

namespace {

constexpr std::size_t message_octets = 64 * 1024;
constexpr std::size_t line_octets = 77;  // its end included

/// 64 KiB of lines that end in `line_end`; one in sixteen starts with '.'.
std::string message_of(std::string_view line_end) {
    std::string message;
    for (std::size_t line = 0; message.size() < message_octets; ++line) {
        message += line % 16 == 0 ? '.' : 'x';
        message.append(line_octets - 1 - line_end.size(), 'x');
        message += line_end;
    }
    message.resize(message_octets);
    return message;
}

void parse_command(benchmark::State& state, std::string_view line, pop3::State pop3_state) {
    for (auto _ : state) {
        benchmark::DoNotOptimize(line);
        benchmark::DoNotOptimize(pop3::parse_command(line, pop3_state));
    }
    state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()));
}
BENCHMARK_CAPTURE(parse_command, noop, "NOOP", pop3::State::transaction);
BENCHMARK_CAPTURE(parse_command, retr, "RETR 1234", pop3::State::transaction);
BENCHMARK_CAPTURE(parse_command, top, "TOP 1234 20", pop3::State::transaction);
BENCHMARK_CAPTURE(parse_command, user, "USER mrose@example.org", pop3::State::authorization);
BENCHMARK_CAPTURE(parse_command, unknown, "XYZZY", pop3::State::transaction);

// Received into space(), as from a socket: pieces of many short lines.
void read_lines(benchmark::State& state) {
    constexpr std::string_view piece = "NOOP\r\nRETR 1\r\nDELE 1\r\nLIST 2\r\nSTAT\r\n";
    pop3::LineReader reader;
    std::int64_t lines = 0;
    for (auto _ : state) {
        std::memcpy(reader.space().data(), piece.data(), piece.size());
        reader.feed(piece.size());
        while (reader.next().status == pop3::LineReader::Status::line) ++lines;
    }
    state.SetItemsProcessed(lines);
}
BENCHMARK(read_lines);

void stuff(benchmark::State& state, std::string_view line_end) {
    const std::string message = message_of(line_end);
    std::vector<char> wire(2 * message.size());
    for (auto _ : state) {
        pop3::ByteStuffer stuffer;
        benchmark::DoNotOptimize(stuffer.feed(message, wire));
        benchmark::ClobberMemory();
    }
    state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * message.size()));
}
BENCHMARK_CAPTURE(stuff, lf, "\n");
BENCHMARK_CAPTURE(stuff, crlf, "\r\n");

void measure(benchmark::State& state, std::string_view line_end) {
    const std::string message = message_of(line_end);
    for (auto _ : state) {
        pop3::MessageMeter meter;
        meter.feed(message);
        benchmark::DoNotOptimize(meter.finish());
    }
    state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * message.size()));
}
BENCHMARK_CAPTURE(measure, lf, "\n");
BENCHMARK_CAPTURE(measure, crlf, "\r\n");

}  // namespace
