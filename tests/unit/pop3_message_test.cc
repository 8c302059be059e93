/// ByteStuffer, MessageMeter and HeadCutter against naive ones, exhaustively over short messages.

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

#include "pop3/byte_stuffer.h"
#include "pop3/head_cutter.h"
#include "pop3/message_meter.h"

using pop3::BodyLines;
using pop3::ByteStuffer;
using pop3::HeadCutter;
using pop3::MessageMeasure;
using pop3::MessageMeter;
using pop3::Octets;

namespace {

constexpr std::string_view alphabet = "a.\r\n";
constexpr std::size_t octets_exhausted = 7;

/// Calls `each` with every string of up to `octets_max` octets over the alphabet.
template <class Each>
void for_each_message(std::size_t octets_max, Each each) {
    std::vector<std::string> shorter = {""};
    for (std::size_t octets = 0; octets <= octets_max; ++octets) {
        std::vector<std::string> longer;
        for (const std::string& message : shorter) {
            each(message);
            for (const char octet : alphabet) longer.push_back(message + octet);
        }
        shorter = std::move(longer);
    }
}

void feed(ByteStuffer& stuffer, std::string_view in, std::string& wire) {
    std::vector<char> out(2 * in.size());
    wire.append(out.data(), stuffer.feed(in, out));
}

std::string finish(ByteStuffer& stuffer, std::string wire) {
    std::vector<char> out(ByteStuffer::finish_octets_max);
    return wire.append(out.data(), stuffer.finish(out));
}

/// On the wire, fed in two pieces.
std::string stuffed(std::string_view message, std::size_t split = 0) {
    ByteStuffer stuffer;
    std::string wire;
    feed(stuffer, message.substr(0, split), wire);
    feed(stuffer, message.substr(split), wire);
    return finish(stuffer, wire);
}

/// What the stuffer says that the client holds.
Octets octets_of_stuffed(std::string_view message) {
    ByteStuffer stuffer;
    std::string wire;
    feed(stuffer, message, wire);
    return stuffer.octets();
}

MessageMeasure measured(std::string_view message, std::size_t split = 0) {
    MessageMeter meter;
    meter.feed(message.substr(0, split));
    meter.feed(message.substr(split));
    return meter.finish();
}

/// Lines with their LF; the last may have none.
std::vector<std::string> lines_of(std::string_view message) {
    std::vector<std::string> lines;
    while (!message.empty()) {
        const std::size_t octets = std::min(message.find('\n'), message.size() - 1) + 1;
        lines.emplace_back(message.substr(0, octets));
        message.remove_prefix(octets);
    }
    return lines;
}

/// What the client must hold: every line ends in CRLF.
std::string at_client(std::string_view message) {
    std::string text;
    for (std::string line : lines_of(message)) {
        if (line.ends_with("\r\n")) {
            text += line;
        } else if (line.ends_with('\n')) {
            text += line.substr(0, line.size() - 1) + "\r\n";
        } else {
            text += line + "\r\n";
        }
    }
    return text;
}

/// A client (RFC 1939 §3): takes CRLF lines up to ".", takes one '.' off. Fails on anything odd.
std::string unstuffed(std::string_view wire) {
    std::string text;
    while (true) {
        const std::size_t end = wire.find("\r\n");
        REQUIRE(end != wire.npos);
        std::string_view line = wire.substr(0, end);
        wire.remove_prefix(end + 2);
        if (line == ".") break;
        if (line.starts_with('.')) {
            line.remove_prefix(1);
            REQUIRE(line.starts_with('.'));  // only doubled ones leave
        }
        text.append(line).append("\r\n");
    }
    CHECK(wire.empty());
    return text;
}

MessageMeasure naive_measure(std::string_view message) {
    MessageMeasure measure;
    bool is_in_header = true;
    measure.wire_ready = message.empty() || message.ends_with('\n');
    for (const std::string& line : lines_of(message)) {
        if (line.starts_with('.')) {
            if (measure.stuffed_dots < pop3::stuffed_dots_recorded_max) {
                measure.stuffed_dot_at[measure.stuffed_dots] = measure.stored_octets;
            }
            ++measure.stuffed_dots;
        }
        if (line.starts_with('.') || !line.ends_with("\r\n")) measure.wire_ready = false;
        measure.stored_octets += line.size();
        if (is_in_header) measure.header_octets = measure.stored_octets;
        if (line == "\n" || line == "\r\n") is_in_header = false;
    }
    measure.octets = Octets(at_client(message).size());
    return measure;
}

/// How much of it TOP sends.
std::string naive_head(std::string_view message, std::uint64_t body_lines) {
    std::string head;
    bool is_in_body = false;
    for (const std::string& line : lines_of(message)) {
        if (is_in_body && body_lines-- == 0) break;
        head += line;
        if (line == "\n" || line == "\r\n") is_in_body = true;
    }
    return head;
}

/// The head, fed in two pieces; after done() nothing more may belong to it.
std::string cut(std::string_view message, BodyLines body, std::size_t split) {
    HeadCutter cutter(body);
    const std::string_view first = message.substr(0, split);
    const std::string_view second = message.substr(split);
    std::string head(first.substr(0, cutter.feed(first)));
    if (head.size() < first.size()) REQUIRE(cutter.done());
    const std::size_t more = cutter.feed(second);
    if (head.size() < first.size()) REQUIRE(more == 0);
    return head.append(second.substr(0, more));
}

}  // namespace

TEST_CASE("RFC 1939 §3: what is stuffed, the client un-stuffs to the message with CRLF line ends") {
    for_each_message(octets_exhausted, [](const std::string& message) {
        CAPTURE(message);
        const std::string wire = stuffed(message);
        CHECK(unstuffed(wire) == at_client(message));
        CHECK((wire == ".\r\n" || wire.ends_with("\r\n.\r\n")));
    });
}

TEST_CASE("RFC 1939 §11: the meter's and the stuffer's octets are what the client holds") {
    for_each_message(octets_exhausted, [](const std::string& message) {
        CAPTURE(message);
        const MessageMeasure measure = measured(message);
        CHECK(measure == naive_measure(message));
        CHECK(measure.octets.value() + measure.stuffed_dots + 3 == stuffed(message).size());
        CHECK(octets_of_stuffed(message) == measure.octets);
        CHECK(measure.wire_ready == (stuffed(message) == message + ".\r\n"));
    });
}

TEST_CASE(
    "every split of a message gives the same wire octets, the same measure and the same head") {
    for_each_message(octets_exhausted, [](const std::string& message) {
        CAPTURE(message);
        const std::string wire = stuffed(message);
        const MessageMeasure measure = measured(message);
        for (std::size_t split = 1; split <= message.size(); ++split) {
            CHECK(stuffed(message, split) == wire);
            CHECK(measured(message, split) == measure);
        }
    });
}

TEST_CASE("octet by octet gives the same as whole") {
    for_each_message(octets_exhausted, [](const std::string& message) {
        CAPTURE(message);
        ByteStuffer stuffer;
        MessageMeter meter;
        HeadCutter cutter(BodyLines::first(1));
        std::string wire;
        std::string head;
        for (const char octet : message) {
            feed(stuffer, std::string_view(&octet, 1), wire);
            meter.feed({&octet, 1});
            if (!cutter.done()) head.append(&octet, cutter.feed({&octet, 1}));
        }
        CHECK(finish(stuffer, wire) == stuffed(message));
        CHECK(meter.finish() == measured(message));
        CHECK(head == naive_head(message, 1));
    });
}

TEST_CASE("RFC 1939 §7: TOP n sends the headers, the blank line and n lines, under every split") {
    for_each_message(octets_exhausted, [](const std::string& message) {
        CAPTURE(message);
        for (const std::uint64_t lines : {0, 1, 2, 9}) {
            const std::string head = naive_head(message, lines);
            for (std::size_t split = 0; split <= message.size(); ++split) {
                CHECK(cut(message, BodyLines::first(lines), split) == head);
            }
        }
        CHECK(cut(message, BodyLines::all(), message.size() / 2) == message);
    });
}

TEST_CASE("TOP n 0 ends where the meter says the headers end") {
    for_each_message(octets_exhausted, [](const std::string& message) {
        CAPTURE(message);
        const std::size_t octets = measured(message).header_octets;
        CHECK(cut(message, BodyLines::first(0), 0).size() == octets);
    });
}

TEST_CASE("the cutter is done exactly when no more can belong") {
    HeadCutter none(BodyLines::first(0));
    CHECK(none.feed(std::string_view("a: b\n")) == 5);
    CHECK(!none.done());
    CHECK(none.feed(std::string_view("\nbody\n")) == 1);
    CHECK(none.done());
    HeadCutter all(BodyLines::all());
    CHECK(all.feed(std::string_view("a: b\n\nbody\n")) == 11);
    CHECK(!all.done());
}

TEST_CASE("only the first stuffed dots are recorded, all are counted") {
    std::string message;
    for (int line = 0; line < 40; ++line) message += ".\n";
    const MessageMeasure measure = measured(message);
    CHECK(measure.stuffed_dots == 40);
    CHECK(measure.stuffed_dot_at[0] == 0);
    CHECK(measure.stuffed_dot_at[15] == 30);
    CHECK(measure.octets == Octets(120));
    CHECK(measure == naive_measure(message));
}

TEST_CASE("messages of every octet and of long lines, at random splits") {
    std::uint32_t random = 7;  // xorshift32
    const auto roll = [&random](std::uint32_t below) {
        random ^= random << 13;
        random ^= random >> 17;
        random ^= random << 5;
        return random % below;
    };
    for (int round = 0; round < 2000; ++round) {
        std::string message;
        for (std::uint32_t left = roll(400); left > 0; --left) {
            message += roll(4) == 0 ? alphabet[roll(4)] : static_cast<char>(roll(256));
        }
        CAPTURE(message);
        const std::size_t split = roll(static_cast<std::uint32_t>(message.size()) + 1);
        CHECK(unstuffed(stuffed(message, split)) == at_client(message));
        CHECK(measured(message, split) == naive_measure(message));
        const std::uint64_t lines = roll(5);
        CHECK(cut(message, BodyLines::first(lines), split) == naive_head(message, lines));
    }
}
