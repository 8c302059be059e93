/// Framing: whatever the pieces, the same lines.

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

#include "allocation_count.h"
#include "base/slab.h"
#include "pop3/limits.h"
#include "pop3/line_reader.h"

using pop3::LineReader;
using restante::AllocationCount;
using restante::Slab;

namespace {

using Lines = std::vector<std::string>;

/// Which limit the next line has, as a session would say: from the lines so far.
using LimitOfNext = std::function<std::size_t(const Lines&)>;

std::size_t command_limit(const Lines&) { return pop3::command_line_octets_max; }

/// Takes the lines there are; false once flooded. A line is itself, an overlong one "<overlong>".
bool drain(LineReader& reader, const LimitOfNext& limit, Lines& lines) {
    while (true) {
        const LineReader::Next next = reader.next(limit(lines));
        switch (next.status) {
            case LineReader::Status::line: lines.emplace_back(next.line); break;
            case LineReader::Status::overlong: lines.emplace_back("<overlong>"); break;
            case LineReader::Status::flooded: lines.emplace_back("<flooded>"); return false;
            case LineReader::Status::incomplete: return true;
        }
    }
}

/// Feeds `octets` in pieces that end at `ends` and at the end.
Lines lines_of(std::string_view octets, const std::vector<std::size_t>& ends = {},
               const LimitOfNext& limit = command_limit) {
    LineReader reader;
    Lines lines;
    std::size_t at = 0;
    std::size_t piece = 0;
    while (at < octets.size()) {
        while (piece < ends.size() && ends[piece] <= at) ++piece;
        const std::size_t end = piece < ends.size() ? ends[piece] : octets.size();
        const std::size_t taken = std::min(end - at, LineReader::fed_octets_max);
        reader.feed(octets.substr(at, taken));
        at += taken;
        if (!drain(reader, limit, lines)) break;
    }
    return lines;
}

std::vector<std::size_t> every_octet(std::size_t count) {
    std::vector<std::size_t> ends;
    for (std::size_t end = 1; end <= count; ++end) ends.push_back(end);
    return ends;
}

std::string repeated(std::size_t count, char octet) { return std::string(count, octet); }

}  // namespace

TEST_CASE("a line ends in CRLF or a bare LF; a CR elsewhere belongs to it") {
    CHECK(lines_of("NOOP\r\n") == Lines{"NOOP"});
    CHECK(lines_of("NOOP\n") == Lines{"NOOP"});
    CHECK(lines_of("a\r\nb\nc\r\n") == Lines{"a", "b", "c"});
    CHECK(lines_of("\r\n\n") == Lines{"", ""});
    CHECK(lines_of("a\rb\r\r\n") == Lines{"a\rb\r"});
    CHECK(lines_of("NOOP\r").empty());
    CHECK(lines_of("").empty());
    CHECK(lines_of(std::string_view("a\0b\r\n", 5)) == Lines{std::string("a\0b", 3)});
}

TEST_CASE("every split in two or three, and octet by octet, gives the same lines") {
    const std::string octets = "CAPA\r\nUSER mrose\r\nPASS se cret \r\n\r\n\nLIST 1\nRE\rTR\r\n" +
                               repeated(300, 'x') + "\r\nQUIT\r\n";
    const Lines whole = lines_of(octets);
    REQUIRE(whole.size() == 9);
    CHECK(lines_of(octets, every_octet(octets.size())) == whole);
    for (std::size_t first = 0; first <= octets.size(); ++first) {
        for (std::size_t second = first; second <= octets.size(); ++second) {
            if (lines_of(octets, {first, second}) != whole) FAIL("split at ", first, ", ", second);
        }
    }
}

TEST_CASE("RFC 2449 §4: a line of 255 octets is one, of 256 overlong, its end included") {
    const std::size_t most = pop3::command_line_octets_max;
    for (const char* end : {"\r\n", "\n"}) {
        const std::string fits = repeated(most - std::strlen(end), 'x');
        const std::string text = fits + end + "x" + fits + end + "NOOP\r\n";
        CHECK(lines_of(text) == Lines{fits, "<overlong>", "NOOP"});
        CHECK(lines_of(text, every_octet(text.size())) == Lines{fits, "<overlong>", "NOOP"});
        for (std::size_t at = 0; at <= text.size(); ++at) {
            CHECK(lines_of(text, {at}) == Lines{fits, "<overlong>", "NOOP"});
        }
    }
}

TEST_CASE("an overlong line is reported once, whatever its length up to the flood's") {
    for (const std::size_t octets : {256U, 510U, 511U, 512U, 513U, 767U, 768U, 4096U, 65000U}) {
        CAPTURE(octets);
        const std::string text = repeated(octets, 'x') + "\nNOOP\r\n";
        CHECK(lines_of(text) == Lines{"<overlong>", "NOOP"});
        CHECK(lines_of(text, every_octet(text.size())) == Lines{"<overlong>", "NOOP"});
    }
}

TEST_CASE("a line over 64 KiB is a flood, with an end or without") {
    const std::size_t most = pop3::overlong_line_octets_max;
    for (const auto& ends : {std::vector<std::size_t>{}, every_octet(most + 9)}) {
        CHECK(lines_of(repeated(most - 1, 'x') + "\nNOOP\n", ends) == Lines{"<overlong>", "NOOP"});
        CHECK(lines_of(repeated(most, 'x') + "\nNOOP\n", ends) == Lines{"<flooded>"});
        CHECK(lines_of(repeated(most, 'x'), ends) == Lines{"<flooded>"});
        CHECK(lines_of(repeated(most + 9, 'x'), ends) == Lines{"<flooded>"});
        CHECK(lines_of(repeated(most - 1, 'x'), ends).empty());
    }
}

TEST_CASE("an AUTH line may have 16 KiB; the lines around it have their own limit") {
    const LimitOfNext limit = [](const Lines& lines) {
        const bool is_in_auth = !lines.empty() && lines.back() == "AUTH PLAIN";
        return is_in_auth ? pop3::auth_line_octets_max : pop3::command_line_octets_max;
    };
    const std::size_t most = pop3::auth_line_octets_max;
    for (const std::size_t octets :
         {0UL, 1UL, 253UL, 500UL, 510UL, 511UL, 4000UL, most - 2, most - 1}) {
        CAPTURE(octets);
        const std::string token = repeated(octets, 'A');
        const std::string end = octets == most - 1 ? "\n" : "\r\n";
        const std::string text = "AUTH PLAIN\r\n" + token + end + "STAT\r\n" + repeated(255, 'x') +
                                 "\n" + "AUTH PLAIN\r\n" + token + "\nQUIT\r\n";
        const Lines expected = {"AUTH PLAIN", token, "STAT", "<overlong>",
                                "AUTH PLAIN", token, "QUIT"};
        CHECK(lines_of(text, {}, limit) == expected);
        CHECK(lines_of(text, every_octet(text.size()), limit) == expected);
        for (std::size_t at = 0; at <= text.size(); at += octets > 600 ? 97 : 1) {
            if (lines_of(text, {at}, limit) != expected) FAIL("split at ", at);
        }
    }
    const std::string over = "AUTH PLAIN\r\n" + repeated(most, 'A') + "\nSTAT\r\n";
    CHECK(lines_of(over, {}, limit) == Lines{"AUTH PLAIN", "<overlong>", "STAT"});
    CHECK(lines_of(over, every_octet(over.size()), limit) ==
          Lines{"AUTH PLAIN", "<overlong>", "STAT"});
}

TEST_CASE("what is pipelined behind a line can be seen") {
    LineReader reader;
    CHECK(!reader.has_buffered());
    CHECK(reader.buffered().empty());
    const std::string_view octets = "STLS\r\nUSER m";
    reader.feed(octets);
    CHECK(reader.buffered() == octets);
    CHECK(reader.next().line == "STLS");
    CHECK(reader.has_buffered());
    CHECK(reader.buffered() == "USER m");
    CHECK(reader.next().status == LineReader::Status::incomplete);
    CHECK(reader.has_buffered());
    reader.feed(std::string_view("\n"));
    CHECK(reader.next().line == "USER m");
    CHECK(!reader.has_buffered());
}

TEST_CASE("wipe() leaves what was not given out, and nothing else") {
    LineReader reader;
    const std::string_view octets = "PASS secret\r\nSTAT\r\nPASS sec";
    reader.feed(octets);
    const std::string_view password = reader.next().line;
    CHECK(password == "PASS secret");
    reader.wipe();
    CHECK(password == std::string(password.size(), '\0'));
    CHECK(reader.next().line == "STAT");
    CHECK(reader.next().status == LineReader::Status::incomplete);

    reader.wipe();
    reader.feed(std::string_view("ret\r\n"));
    CHECK(reader.next().line == "PASS secret");
}

TEST_CASE("a reader holds memory while it holds octets or a line that it gave, and then no more") {
    Slab::give_back();
    const AllocationCount count;
    const auto held = [&count] {
        Slab::give_back();
        return count.held();
    };
    LineReader reader;
    CHECK(held() == 0);
    reader.feed(std::string_view("NOOP\r\nST"));
    CHECK(reader.next().line == "NOOP");
    CHECK(reader.next().status == LineReader::Status::incomplete);
    CHECK(held() == 1);
    reader.feed(std::string_view("AT\r\n"));
    CHECK(reader.next().line == "STAT");
    CHECK(held() == 1);
    CHECK(reader.next().status == LineReader::Status::incomplete);
    CHECK(held() == 0);
    reader.feed(repeated(1000, 'x'));  // of an overlong line nothing is kept
    CHECK(reader.next().status == LineReader::Status::incomplete);
    CHECK(held() == 0);
}
