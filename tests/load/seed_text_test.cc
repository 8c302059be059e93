#include "seed_text.h"

#include <doctest/doctest.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

using namespace pop3load;

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
    const std::size_t mark_at = text.find(lines[1]);
    CHECK(says->sum == sum_around(text.substr(0, mark_at), text.substr(mark_at + lines[1].size())));
    const MarkVerdict verdict = judge_by_mark(text, "anyone");
    CHECK(verdict.is_marked);
    CHECK(verdict.wrong == "");
}

std::string wrong_of(const std::string& text, std::string_view user) {
    return judge_by_mark(text, user).wrong;
}

}  // namespace

TEST_CASE("a message has exactly the octets asked for, and says so and the hash of the rest") {
    for (std::uint64_t octets = seed_octets_min; octets < 1'500; ++octets) {
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
        check_message(seed_message(UINT64_MAX - identity, 0, LineEnds::crlf), seed_octets_min);
    }
}

TEST_CASE("with LF, octets and hash are still those of the CRLF form") {
    for (const std::uint64_t octets : {300, 3'000, 50'000}) {
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
    CHECK(dotted > 10);
    CHECK(dotted < 200);
    CHECK(has_lone_dot);
    CHECK(has_two_dots);
}

TEST_CASE("a large message is a letter and a file in base64") {
    const std::string text = seed_message(9, 100'000, LineEnds::crlf);
    CHECK(text.find("\r\nContent-Type: multipart/mixed; boundary=\"=_") != std::string::npos);
    CHECK(text.find("\r\nContent-Transfer-Encoding: base64\r\n\r\n") != std::string::npos);
    CHECK(text.ends_with("--\r\n"));
}

TEST_CASE("a message is known by its mark as its user's, whole and unchanged") {
    const std::string own = seed_message(7, 3'000, LineEnds::crlf, "user7");
    CHECK(own.size() == 3'000);
    CHECK(judge_by_mark(own, "user7").is_marked);
    CHECK(wrong_of(own, "user7") == "");
    CHECK(wrong_of(own, "user7@example.org") == "");
    CHECK(wrong_of(own, "user8") == "it is another user's");
    const std::string everyones = seed_message(7, 3'000, LineEnds::crlf);
    CHECK(wrong_of(everyones, "user8") == "");
    CHECK(seed_message(7, 0, LineEnds::crlf, "user7").size() == seed_octets_min);
}

TEST_CASE("one octet of a message changed, headers too, is noticed by its mark") {
    const std::string right = seed_message(7, 700, LineEnds::crlf, "user7");
    const std::size_t mark_at = right.find("X-Pop3load");
    const std::size_t mark_ends = right.find("\r\n", mark_at);
    for (std::size_t at = 0; at < right.size(); ++at) {
        std::string text = right;
        text[at] ^= 1;
        const MarkVerdict verdict = judge_by_mark(text, "user7");
        const bool is_in_mark = at + 2 >= mark_at && at < mark_ends + 2;
        CHECK_MESSAGE((verdict.wrong != "" || (is_in_mark && !verdict.is_marked)), at);
    }
    CHECK(wrong_of(right + "\r\n", "user7") == "it was seeded with 700 octets");
}

TEST_CASE("without a mark nothing is known of a message") {
    for (const char* text :
         {"", "Subject: hello\r\n\r\nbody\r\n", "no line end",
          "Subject: a\r\n\r\nX-Pop3load: octets=000000000001 sum=0000000000000000\r\n"}) {
        CAPTURE(text);
        CHECK_FALSE(judge_by_mark(text, "user7").is_marked);
        CHECK(wrong_of(text, "user7") == "");
    }
}

TEST_CASE("only a whole self-description is one") {
    const auto good =
        parse_self_description("X-Pop3load: octets=000000003000 sum=0123456789abcdef");
    REQUIRE(good);
    CHECK(good->octets == 3'000);
    CHECK_FALSE(good->user);
    const auto own = parse_self_description(
        "X-Pop3load: octets=000000003000 sum=0123456789abcdef user=00000000000000ff");
    REQUIRE(own);
    CHECK(own->user == 0xff);
    CHECK(good->sum == 0x0123456789abcdef);
    for (const char* line : {
             "",
             "X-Pop3load: ",
             "X-Pop3load: octets=3000 sum=0123456789abcdef",
             "X-Pop3load: octets=000000003000 sum=0123456789abcde",
             "X-Pop3load: octets=000000003000 sum=0123456789abcdeg",
             "X-Pop3load: octets=000000003000 sum=0123456789abcdef ",
             "X-Pop3load: octets=-00000003000 sum=0123456789abcdef",
             "X-Pop3load: octets=000000003000",
             "X-Pop3load: octets=000000003000 sum=0123456789abcdef user=",
             "X-Pop3load: octets=000000003000 sum=0123456789abcdef user=00000000000000ff ",
             "X-Pop3load: octets=000000003000 sum=0123456789abcdef uses=00000000000000ff",
             "x-pop3load: octets=000000003000 sum=0123456789abcdef",
             "Subject: octets=000000003000 sum=0123456789abcdef",
         }) {
        CAPTURE(line);
        CHECK_FALSE(parse_self_description(line));
    }
}
