#include "seed_text.h"

#include <doctest/doctest.h>
#include <xxhash.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

using pop3load::LineEnds;
using pop3load::parse_self_description;
using pop3load::seed_message;
using pop3load::SelfDescription;

namespace {

std::vector<std::string_view> lines_of(std::string_view text, std::string_view end) {
    std::vector<std::string_view> lines;
    while (!text.empty()) {
        const std::size_t at = text.find(end);
        REQUIRE(at != std::string_view::npos);  // the last line too has its end
        lines.push_back(text.substr(0, at));
        text.remove_prefix(at + end.size());
    }
    return lines;
}

std::string without_cr(std::string text) {
    std::erase(text, '\r');
    return text;
}

std::size_t dotted_lines(const std::string& text) {
    std::size_t count = 0;
    for (const std::string_view line : lines_of(text, "\r\n")) count += line.starts_with('.');
    return count;
}

/// Whether `text` is `octets` long and says of itself what is true.
void check_message(const std::string& text, std::uint64_t octets) {
    CAPTURE(octets);
    CHECK(text.size() == octets);
    const std::vector<std::string_view> lines = lines_of(text, "\r\n");
    REQUIRE(lines.size() > 2);
    for (const std::string_view line : lines) {
        CHECK(line.size() <= 998);
        CHECK(line.find_first_of("\r\n") == std::string_view::npos);
    }
    const auto says = parse_self_description(lines[1]);
    REQUIRE(says);
    CHECK(says->octets == octets);
    const std::size_t body_at = text.find("\r\n\r\n") + 4;
    CHECK(says->hash == XXH3_64bits(text.data() + body_at, octets - body_at));
}

}  // namespace

TEST_CASE("a message has exactly the octets asked for, and says so and the hash of its body") {
    for (std::uint64_t octets = 256; octets < 1'500; ++octets) {
        check_message(seed_message(octets, octets, LineEnds::crlf), octets);
    }
    for (std::uint64_t octets = 11'900; octets < 12'400; ++octets) {
        check_message(seed_message(octets, octets, LineEnds::crlf), octets);
    }
    for (const std::uint64_t octets : {100'000, 1'000'000, 2'675'000}) {
        check_message(seed_message(octets, octets, LineEnds::crlf), octets);
    }
}

TEST_CASE("a message whose size was asked too small has the smallest") {
    for (std::uint64_t identity = 0; identity < 2'000; ++identity) {
        check_message(seed_message(UINT64_MAX - identity, 0, LineEnds::crlf), 256);
    }
}

TEST_CASE("with LF, octets and hash are still those of the CRLF form") {
    for (const std::uint64_t octets : {256, 3'000, 50'000}) {
        const std::string crlf = seed_message(5, octets, LineEnds::crlf);
        const std::string lf = seed_message(5, octets, LineEnds::lf);
        CHECK(lf == without_cr(crlf));
        CHECK(lf.size() < crlf.size());
    }
}

TEST_CASE("the same identity gives the same message, another another") {
    CHECK(seed_message(1, 3'000, LineEnds::crlf) == seed_message(1, 3'000, LineEnds::crlf));
    CHECK(seed_message(1, 3'000, LineEnds::crlf) != seed_message(2, 3'000, LineEnds::crlf));
}

TEST_CASE("some lines begin with a dot, some are nothing else; of a wire-ready message none") {
    std::size_t dotted = 0;
    bool has_lone_dot = false;
    bool has_two_dots = false;
    for (std::uint64_t identity = 0; identity < 200; ++identity) {
        const std::string text = seed_message(identity, 5'000, LineEnds::crlf);
        dotted += dotted_lines(text);
        has_lone_dot |= text.find("\r\n.\r\n") != std::string::npos;
        has_two_dots |= text.find("\r\n..") != std::string::npos;
        const std::string ready = seed_message(identity, 5'000, LineEnds::wire_ready);
        check_message(ready, 5'000);
        CHECK(dotted_lines(ready) == 0);
    }
    CHECK(dotted > 200);
    CHECK(dotted < 2'000);
    CHECK(has_lone_dot);
    CHECK(has_two_dots);
}

TEST_CASE("a large message is a letter and a file in base64") {
    const std::string text = seed_message(9, 100'000, LineEnds::crlf);
    CHECK(text.find("\r\nContent-Type: multipart/mixed; boundary=\"=_") != std::string::npos);
    CHECK(text.find("\r\nContent-Transfer-Encoding: base64\r\n\r\n") != std::string::npos);
    CHECK(text.ends_with("--\r\n"));
}

TEST_CASE("only a whole self-description is one") {
    const auto good =
        parse_self_description("X-Pop3load: octets=000000003000 hash=0123456789abcdef");
    REQUIRE(good);
    CHECK(good->octets == 3'000);
    CHECK(good->hash == 0x0123456789abcdef);
    for (const char* line : {
             "",
             "X-Pop3load: ",
             "X-Pop3load: octets=3000 hash=0123456789abcdef",
             "X-Pop3load: octets=000000003000 hash=0123456789abcde",
             "X-Pop3load: octets=000000003000 hash=0123456789abcdeg",
             "X-Pop3load: octets=000000003000 hash=0123456789abcdef ",
             "X-Pop3load: octets=-00000003000 hash=0123456789abcdef",
             "X-Pop3load: octets=000000003000",
             "x-pop3load: octets=000000003000 hash=0123456789abcdef",
             "Subject: octets=000000003000 hash=0123456789abcdef",
         }) {
        CAPTURE(line);
        CHECK_FALSE(parse_self_description(line));
    }
}
