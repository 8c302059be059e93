#include "answer.h"

#include <doctest/doctest.h>

#include <string>

using namespace pop3load;

namespace {

using Shape = AnswerReader::Shape;
using Content = AnswerReader::Content;
using State = AnswerReader::State;

/// Feeds `octets` in pieces of `piece` and returns the last state; what is left into `rest`.
State feed(AnswerReader& reader, std::string_view octets, std::size_t piece, std::string& rest) {
    State state = State::reading;
    while (!octets.empty() && state == State::reading) {
        std::string_view part = octets.substr(0, piece);
        octets.remove_prefix(part.size());
        state = reader.feed(part);
        rest = std::string(part) + std::string(octets);
    }
    return state;
}

}  // namespace

TEST_CASE("a message is un-stuffed and counted, however its octets come") {
    const std::string wire = "+OK 120 octets\r\nA: b\r\n\r\n..dot\r\n...\r\nend\r\n.\r\n+OK\r\n";
    for (std::size_t piece = 1; piece <= wire.size(); ++piece) {
        CAPTURE(piece);
        AnswerReader reader;
        std::string rest;
        reader.begin(Shape::multi_line, Content::collect);
        CHECK(feed(reader, wire, piece, rest) == State::complete);
        CHECK(reader.is_ok());
        CHECK(reader.status() == "+OK 120 octets");
        CHECK(reader.content() == "A: b\r\n\r\n.dot\r\n..\r\nend\r\n");
        CHECK(reader.octets() == reader.content().size());
        CHECK(rest == "+OK\r\n");
    }
}

TEST_CASE("an empty message, and one that is refused") {
    AnswerReader reader;
    std::string rest;
    reader.begin(Shape::multi_line, Content::count);
    CHECK(feed(reader, "+OK\r\n.\r\n", 3, rest) == State::complete);
    CHECK(reader.octets() == 0);
    reader.begin(Shape::multi_line, Content::count);
    CHECK(feed(reader, "-ERR no such message\r\n+OK\r\n", 100, rest) == State::complete);
    CHECK(!reader.is_ok());
    CHECK(rest == "+OK\r\n");
}

TEST_CASE("a status is +OK or -ERR, alone or before a blank (RFC 1939 §3)") {
    AnswerReader reader;
    for (const char* wire :
         {"+OK\r\n", "+OK \r\n", "+OK maildrop\r\n", "-ERR\r\n", "-ERR no\r\n"}) {
        CAPTURE(wire);
        std::string rest;
        reader.begin(Shape::single, Content::count);
        CHECK(feed(reader, wire, 100, rest) == State::complete);
        CHECK(reader.is_ok() == (wire[0] == '+'));
    }
}

TEST_CASE("an answer without its final dot is never complete") {
    AnswerReader reader;
    for (const char* wire : {"+OK\r\nline\r\n", "+OK\r\nline\r\n.", "+OK\r\nline\r\n.\r",
                             "+OK\r\nline\r\n.\r\r\n", "+OK\r\nline\r\n..\r\n", "+OK"}) {
        CAPTURE(wire);
        std::string rest;
        reader.begin(Shape::multi_line, Content::count);
        CHECK(feed(reader, wire, 1, rest) == State::reading);
    }
}

TEST_CASE("what is not POP3 is malformed") {
    AnswerReader reader;
    for (const char* wire :
         {"HTTP/1.1 400\r\n", "+OK\n", "+OK\r\nline\n.\r\n", "+OK\r\n.\n", "+OK\r\n\n.\r\n", "\r\n",
          "+OKAY\r\n", "+OK\t\r\n", "-ERROR\r\n", "+ok\r\n", "+OK: 1\r\n"}) {
        for (const std::size_t piece : {1, 100}) {
            CAPTURE(wire);
            std::string rest;
            reader.begin(Shape::multi_line, Content::count);
            CHECK(feed(reader, wire, piece, rest) == State::malformed);
            CHECK(*reader.complaint() != '\0');
        }
    }
    std::string rest;
    reader.begin(Shape::single, Content::count);
    CHECK(feed(reader, "+OK " + std::string(10'000, 'x'), 512, rest) == State::malformed);
}
