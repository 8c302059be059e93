// What POP3 itself costs: a command line, the passes that stuff and measure a message.

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "pop3/byte_stuffer.h"
#include "pop3/command.h"
#include "pop3/line_reader.h"
#include "pop3/message_meter.h"

namespace {

/// Lines of `line_octets` each, their `line_end` included. Twenty are the header; of the others one
/// in 64 starts with '.'.
struct Lines {
    std::size_t line_octets;
    std::string_view line_end;
};

constexpr Lines lf{77, "\n"};  // base64 as MIME wraps it
constexpr Lines crlf{78, "\r\n"};
constexpr Lines short_lf{20, "\n"};

constexpr std::size_t header_lines = 20;

std::string message_of(Lines lines, std::size_t octets) {
    std::string message;
    for (std::size_t line = 1; message.size() < octets; ++line) {
        message += line % 64 == 0 ? '.' : 'x';
        message.append(lines.line_octets - 1 - lines.line_end.size(), 'x');
        message += lines.line_end;
        if (line == header_lines) message += lines.line_end;
    }
    message.resize(octets);
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

// As from a socket: pieces of many short lines.
void read_lines(benchmark::State& state) {
    constexpr std::string_view piece = "NOOP\r\nRETR 1\r\nDELE 1\r\nLIST 2\r\nSTAT\r\n";
    pop3::LineReader reader;
    std::int64_t lines = 0;
    for (auto _ : state) {
        reader.feed(piece);
        while (reader.next().status == pop3::LineReader::Status::line) ++lines;
    }
    state.SetItemsProcessed(lines);
}
BENCHMARK(read_lines);

/// Octets a second of `pass`, which takes a message and room for it stuffed.
template <class Pass>
void pass_over(benchmark::State& state, Lines lines, Pass pass) {
    const std::string message = message_of(lines, static_cast<std::size_t>(state.range(0)));
    std::vector<char> wire(2 * message.size());
    for (auto _ : state) {
        benchmark::DoNotOptimize(pass(message, wire));
        benchmark::ClobberMemory();
    }
    state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * message.size()));
}

void stuff(benchmark::State& state, Lines lines) {
    pass_over(state, lines, [](const std::string& message, std::vector<char>& wire) {
        pop3::ByteStuffer stuffer;
        return stuffer.feed(message, wire);
    });
}

void measure(benchmark::State& state, Lines lines) {
    pass_over(state, lines, [](const std::string& message, std::vector<char>&) {
        pop3::MessageMeter meter;
        meter.feed(message);
        return meter.finish();
    });
}

// What stuffing and measuring are held against: a copy, and a search for each line's end.
void copy(benchmark::State& state, Lines lines) {
    pass_over(state, lines, [](const std::string& message, std::vector<char>& wire) {
        std::memcpy(wire.data(), message.data(), message.size());
        return wire.data();
    });
}

void memchr_per_line(benchmark::State& state, Lines lines) {
    pass_over(state, lines, [](const std::string& message, std::vector<char>&) {
        std::size_t count = 0;
        for (std::size_t at = 0; (at = message.find('\n', at)) != message.npos; ++at) ++count;
        return count;
    });
}

/// Octets a second of `pass` over 16,384 octets that begin state.range(0) octets into a page, into
/// room that begins state.range(1) into another.
template <class Pass>
void pass_between_places(benchmark::State& state, Pass pass) {
    constexpr std::size_t page = 4096, octets = 16'384;
    constexpr std::size_t room = 2 * octets + page;
    const std::string message = message_of(lf, octets);
    const std::unique_ptr<char, void (*)(void*)> from(
        static_cast<char*>(std::aligned_alloc(page, octets + page)), &std::free);
    const std::unique_ptr<char, void (*)(void*)> to(
        static_cast<char*>(std::aligned_alloc(page, room)), &std::free);
    const std::span<char> source(from.get() + state.range(0), octets);
    const std::span<char> target(to.get() + state.range(1), 2 * octets);
    std::ranges::copy(message, source.begin());
    for (auto _ : state) {
        pass(source, target);
        benchmark::ClobberMemory();
    }
    state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * octets));
}

void stuff_between_places(benchmark::State& state) {
    pass_between_places(state, [](std::span<char> source, std::span<char> target) {
        pop3::ByteStuffer stuffer;
        benchmark::DoNotOptimize(stuffer.feed(source, target));
    });
}

void copy_between_places(benchmark::State& state) {
    pass_between_places(state, [](std::span<char> source, std::span<char> target) {
        std::memcpy(target.data(), source.data(), source.size());
    });
}

// A chunk and an output buffer with a status line in it, as they would lie and as they do; an
// output buffer and OpenSSL's record, likewise.
BENCHMARK(stuff_between_places)->Args({0, 19})->Args({64 + 2048, 64 + 19});
BENCHMARK(copy_between_places)->Args({0, 8})->Args({64, 8});

constexpr std::int64_t small = 4'000, medium = 35'000, large = 1'000'000;  // octets

BENCHMARK_CAPTURE(copy, lf, lf)->Arg(small)->Arg(medium)->Arg(large);
BENCHMARK_CAPTURE(memchr_per_line, lf, lf)->Arg(small)->Arg(medium)->Arg(large);
BENCHMARK_CAPTURE(memchr_per_line, short_lf, short_lf)->Arg(small)->Arg(medium)->Arg(large);
BENCHMARK_CAPTURE(stuff, lf, lf)->Arg(small)->Arg(medium)->Arg(large);
BENCHMARK_CAPTURE(stuff, crlf, crlf)->Arg(small)->Arg(medium)->Arg(large);
BENCHMARK_CAPTURE(stuff, short_lf, short_lf)->Arg(small)->Arg(medium)->Arg(large);
BENCHMARK_CAPTURE(measure, lf, lf)->Arg(small)->Arg(medium)->Arg(large);
BENCHMARK_CAPTURE(measure, crlf, crlf)->Arg(small)->Arg(medium)->Arg(large);
BENCHMARK_CAPTURE(measure, short_lf, short_lf)->Arg(small)->Arg(medium)->Arg(large);

}  // namespace
