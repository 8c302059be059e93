/// The transcripts' parser and player, and that every transcript there is can be read.

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

#include "transcript.h"
#include "transcript_player.h"
#include "transcript_text.h"

using namespace restante_test;

namespace {

/// Of a transcript that must be right.
Transcript parsed(std::string_view text) {
    const ParsedTranscript result = parse_transcript("test", text);
    INFO(result.error_line, ": ", result.error);
    REQUIRE(result.transcript);
    return *result.transcript;
}

/// "line: what is wrong".
std::string error_of(std::string_view text) {
    const ParsedTranscript result = parse_transcript("test", text);
    REQUIRE(!result.transcript);
    return std::to_string(result.error_line) + ": " + result.error;
}

bool matches(std::string_view pattern, std::string_view line) {
    return Pattern(*pattern_pieces(pattern, Escapes::none)).matches(line);
}

std::vector<StepKind> kinds_of(const Transcript& transcript) {
    std::vector<StepKind> kinds;
    for (const Step& step : transcript.steps) kinds.push_back(step.kind);
    return kinds;
}

std::string no_md5(std::string_view octets) { return "md5(" + std::string(octets) + ")"; }

/// A server that says what it is told to, in pieces of `piece` octets, and notes what it is sent.
struct CannedServer {
    std::string answers;
    std::size_t piece = 1U << 20;
    bool closes = true;
    std::string client{};
    std::vector<ActionKind> actions{};
};

/// Plays to the end; what failed.
std::string play(std::string_view text, CannedServer& server, Pace pace = Pace::as_written) {
    const Transcript transcript = parsed(text);
    Player player(transcript, pace, no_md5);
    bool has_answered = false;
    while (!player.is_over()) {
        const Action action = player.action();
        server.actions.push_back(action.kind);
        if (action.kind != ActionKind::receive) {
            server.client += action.octets;
            player.done();
            continue;
        }
        if (has_answered) player.fail("nothing comes");
        has_answered = true;
        for (std::size_t at = 0; at < server.answers.size(); at += server.piece) {
            player.received(1, std::string_view(server.answers).substr(at, server.piece));
        }
        if (server.closes) player.server_closed(1);
    }
    return player.failure();
}

constexpr std::string_view short_dialogue = R"(# RFC
S: +OK*
C: STAT
S: +OK 1 120
C: QUIT
S: +OK bye
S closes
left: none
)";

}  // namespace

TEST_CASE("a transcript has sources, directives, steps and what is left") {
    const Transcript transcript = parsed(R"(# RFC 1939 §5: "quote"
# going on
setting: pop3.apop = true
password: two\x20words
message: 120
message 1.M1P1.a:2,S: "a: b\n\n.\r\n"
fault: remove 2
# about the dialogue
login
C: STAT
S: +OK 2 *
C, raw: NO\0OP
wait 11m
outside: flag 1
outside: remove 2
outside: deliver 40
CLOSE
new connection
connection 1
S: ...*
S: .
S closes
left: 1 3
)");
    CHECK(transcript.name == "test");
    CHECK(transcript.sources == std::vector<std::string>{"RFC 1939 §5: \"quote\"", "going on"});
    REQUIRE(transcript.settings.size() == 1);
    CHECK(transcript.settings[0].key == "pop3.apop");
    CHECK(transcript.settings[0].value == "true");
    CHECK(transcript.password == "two words");
    REQUIRE(transcript.messages.size() == 2);
    CHECK(transcript.messages[0].file_name == "1000000001.M1P1.transcript");
    CHECK(transcript.messages[1].file_name == "1.M1P1.a:2,S");
    CHECK(transcript.messages[1].octets == "a: b\n\n.\r\n");
    CHECK(transcript.removals_that_fail == std::vector<std::uint32_t>{2});
    CHECK(transcript.left == std::vector<std::uint32_t>{1, 3});
    using enum StepKind;
    CHECK(kinds_of(transcript) == std::vector{open, line, send, line, send, line, send, line, send,
                                              wait, outside_flag, outside_remove, outside_deliver,
                                              client_closes, open, use, skip, line, server_closes});
    const std::vector<Step>& steps = transcript.steps;
    CHECK(steps[4].octets == "PASS two words\r\n");
    CHECK(steps[6].octets == "STAT\r\n");
    CHECK(steps[6].source_line == 10);
    CHECK(steps[8].octets == std::string("NO\0OP", 5));
    CHECK(steps[9].duration == std::chrono::minutes(11));
    CHECK(steps[12].file_name == "1000000003.M1P1.transcript");
    CHECK(steps[14].number == 2);
    CHECK(steps[15].number == 1);
}

TEST_CASE("login takes the greeting only where a connection begins") {
    CHECK(parsed("#\nlogin\nleft: none").steps.size() == 6);
    CHECK(parsed("#\nS: +OK*\nlogin\nleft: none").steps.size() == 6);
    CHECK(parsed("#\nlogin\nCLOSE\nnew connection\nlogin\nleft: none").steps.size() == 13);
}

TEST_CASE("a message is expected as RETR sends it") {
    const Transcript transcript =
        parsed("#\nmessage: \".a\\n\\nb\\rc\\r\\n..\"\nS, message: 1\nleft: all\n");
    std::vector<std::string> lines;
    for (const Step& step : transcript.steps) {
        if (step.kind == StepKind::line) lines.push_back(step.pattern.text());
    }
    CHECK(lines == std::vector<std::string>{"..a", "", "b\\rc", "...", "."});
    CHECK(wire_lines("").empty());
    CHECK(wire_lines("\n") == std::vector<std::string>{""});
}

TEST_CASE("a generated message has exactly the octets asked for, at the client") {
    CHECK(generated_message(0).empty());
    for (std::uint64_t octets = 2; octets < 500; ++octets) {
        std::uint64_t at_client = 0;
        for (const std::string& line : wire_lines(generated_message(octets))) {
            CHECK(!line.starts_with('.'));
            at_client += line.size() + 2;
        }
        CHECK(at_client == octets);
    }
    CHECK(generated_message(120).starts_with("Subject: 120 octets\n\nabcdef"));
}

TEST_CASE("a pattern is exact but for its gaps") {
    CHECK(matches("+OK", "+OK"));
    CHECK(!matches("+OK", "+OK "));
    CHECK(!matches("+OK 1", "+OK 10"));
    CHECK(matches("+OK*", "+OK"));
    CHECK(matches("+OK*", "+OK logged in"));
    CHECK(!matches("+OK*", "-ERR"));
    CHECK(matches("*", ""));
    CHECK(matches("<*@*>", "<1@b>"));
    CHECK(!matches("<*@*>", "<1b>"));
    CHECK(!matches("aa*aa", "aaa"));
    CHECK(matches("a*b*c", "abbc"));
    CHECK(matches("", ""));
    CHECK(!matches("", "x"));
}

TEST_CASE("escapes stand for octets") {
    CHECK(unescaped(R"(a\r\n\t\\\"\*)") == "a\r\n\t\\\"*");
    CHECK(unescaped(R"(\0\x00\xfF)") == std::string("\0\0\xff", 3));
    CHECK(unescaped(R"(\(ab*3)c)") == "abababc");
    CHECK(unescaped(R"(\(\r\n*2))") == "\r\n\r\n");
    CHECK(unescaped(R"(\(a*0))") == "");
    for (const char* wrong :
         {"\\", "\\q", "\\x", "\\x1", "\\xgg", "\\(a*", "\\(a)", "\\(a*x)", "\\(a*99999999999)"}) {
        CAPTURE(wrong);
        CHECK(!unescaped(wrong));
    }
    CHECK(pattern_pieces(R"(a*\*b)", Escapes::backslash) == std::vector<std::string>{"a", "*b"});
    CHECK(pattern_pieces(R"(a\n)", Escapes::none) == std::vector<std::string>{"a\\n"});
    CHECK(escaped(std::string("a\r\n\0\\\xff", 6)) == "a\\r\\n\\0\\\\\\xff");
}

TEST_CASE("what is wrong in a transcript is named with its line") {
    CHECK(error_of("S: +OK*\nleft: none\n") == "1: does not begin with its source");
    CHECK(error_of("") == "1: does not begin with its source");
    CHECK(error_of("#\nS: +OK*\n") == "2: does not end with `left:`");
    CHECK(error_of("#\nS: +OK*\nleft: none\nC: X\n") == "4: `left:` is not the last line");
    CHECK(error_of("#\nleft: none\n") == "2: no dialogue");
    CHECK(error_of("#\nmesage: 120\n") == "2: unknown directive");
    CHECK(error_of("#\nS: +OK\nmessage: 120\n") ==
          "3: not a step of a dialogue, or a directive that comes too late");
    CHECK(error_of("#\nmessage: 1\n").starts_with("2: neither"));
    CHECK(error_of("#\nmessage: \"\\q\"\n").starts_with("2: neither"));
    CHECK(error_of("#\nmessage\n") == "2: message wants `: ` and octets");
    CHECK(error_of("#\nsetting: apop = true\n") == "2: setting wants section.key = value");
    CHECK(error_of("#\nsetting: pop3.apop\n") == "2: setting wants key = value");
    CHECK(error_of("#\nfault: remove 1\n") == "2: no such message");
    CHECK(error_of("#\nC, raw: \\q\n") == "2: bad escape");
    CHECK(error_of("#\nS, raw: \\q\n") == "2: bad escape");
    CHECK(error_of("#\nwait 11\n") == "2: wait wants a number and s, m or h");
    CHECK(error_of("#\nS, message: 1\n") == "2: no such message");
    CHECK(error_of("#\nconnection 2\n") == "2: no such connection");
    CHECK(error_of("#\noutside: add 1\n") == "2: outside wants remove, flag or deliver");
    CHECK(error_of("#\nmessage: 2\nmessage: 2\nS: x\nleft: 2 1\n") == "5: not ascending");
    CHECK(error_of("#\nS: x\nleft: 1\n") == "3: no such message");
    CHECK(error_of("#\nS: x\nleft:\n") == "3: left wants all, none or numbers");
    CHECK(read_transcript("/nonexistent.pop3").error == "cannot be opened");
}

TEST_CASE("a dialogue that goes as written is played to its end, in pieces of any size") {
    for (std::size_t piece = 1; piece < 40; ++piece) {
        CannedServer server{"+OK hello\r\n+OK 1 120\r\n+OK bye\r\n", piece};
        CHECK(play(short_dialogue, server) == "");
        CHECK(server.client == "STAT\r\nQUIT\r\n");
    }
}

TEST_CASE("an eager client sends ahead, one as written waits for what stands before") {
    using enum ActionKind;
    CannedServer server{"+OK hello\r\n+OK 1 120\r\n+OK bye\r\n"};
    CHECK(play(short_dialogue, server, Pace::eager) == "");
    CHECK(server.actions == std::vector{connect, send, send, receive});
    CannedServer patient{"+OK hello\r\n+OK 1 120\r\n+OK bye\r\n"};
    CHECK(play(short_dialogue, patient) == "");
    CHECK(patient.actions == std::vector{connect, receive, send, send});
}

TEST_CASE("an eager client does not send past a close or a wait") {
    using enum ActionKind;
    CannedServer server{"+OK\r\n", 1, false};
    CHECK(play("#\nS: +OK\nC: NOOP\nwait 1s\nC: DELE 1\nCLOSE\nleft: none\n", server,
               Pace::eager) == "");
    CHECK(server.actions == std::vector{connect, send, receive, wait, send, close});
}

TEST_CASE("what goes otherwise fails, with the line and the dialogue so far") {
    const auto failure = [](std::string answers, bool closes = true) {
        CannedServer server{std::move(answers), 5, closes};
        return play(short_dialogue, server);
    };
    const auto contains = [](const std::string& text, std::string_view part) {
        CAPTURE(text);
        return text.find(part) != text.npos;
    };
    const std::string wrong = failure("+OK hello\r\n+OK 1 121\r\n");
    CHECK(contains(wrong, "test.pop3:4: expected `+OK 1 120`, got `+OK 1 121`"));
    CHECK(contains(wrong, "S: +OK hello\nC: STAT\\r\\n\n"));
    CHECK(contains(failure("+OK hello\n+OK 1 120\r\n"), "a bare LF in `+OK hello\\n+OK 1 120`"));
    CHECK(contains(failure("+OK\r\n+OK 1 120\r\n"), "expected `+OK bye`, but the server closed"));
    CHECK(contains(failure("+OK\r\n+OK 1 120\r\n+OK bye\r\nmore"),
                   "close without a word, got `more`"));
    CHECK(contains(failure("+OK\r\n+OK 1 120\r\n+OK bye\r\n", false), "nothing comes"));
}

TEST_CASE("more than the transcript has is a failure") {
    CannedServer server{"+OK\r\n+OK again\r\n", 100, false};
    CHECK(play("#\nS: +OK\nleft: none\n", server).find("sent more on connection 1") !=
          std::string::npos);
    CannedServer dropped{"+OK\r\n+OK again\r\n", 100, false};
    CHECK(play("#\nS: +OK\nCLOSE\nleft: none\n", dropped) == "");
}

TEST_CASE("lines may be skipped up to the termination") {
    CannedServer server{"+OK\r\na\r\n..\r\n. \r\n.\r\n+OK\r\n"};
    CHECK(play("#\nS: +OK\nS: ...*\nS: .\nS: +OK\nleft: none\n", server) == "");
    CannedServer none{".\r\n"};
    CHECK(play("#\nS: ...*\nS: .\nleft: none\n", none) == "");
}

TEST_CASE("a line can be asked to be new, or to be one seen before") {
    constexpr std::string_view fresh = "#\nS: 1 *\nS, new: 1 *\nleft: none\n";
    constexpr std::string_view seen = "#\nS: 1 *\nS, seen: 1 *\nleft: none\n";
    const auto outcome = [](std::string_view text, std::string answers) {
        CannedServer server{std::move(answers)};
        return play(text, server) == "";
    };
    CHECK(outcome(fresh, "1 a\r\n1 b\r\n"));
    CHECK(!outcome(fresh, "1 a\r\n1 a\r\n"));
    CHECK(outcome(seen, "1 a\r\n1 a\r\n"));
    CHECK(!outcome(seen, "1 a\r\n1 b\r\n"));
}

TEST_CASE("{apop} is the digest of the greeting's timestamp and the password") {
    for (const Pace pace : {Pace::as_written, Pace::eager}) {
        CannedServer server{"+OK POP3 ready <1.2@c>\r\n"};
        CHECK(play("#\npassword: tan\nS: +OK*\nC: APOP mrose {apop}\nleft: none\n", server, pace) ==
              "");
        CHECK(server.client == "APOP mrose md5(<1.2@c>tan)\r\n");
    }
}

TEST_CASE("every transcript can be read, and names its source") {
    const auto folder = std::filesystem::path("tests/transcripts");
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        if (entry.path().extension() != ".pop3") continue;
        CAPTURE(entry.path().string());
        const ParsedTranscript result = read_transcript(entry.path().string());
        INFO(result.error_line, ": ", result.error);
        REQUIRE(result.transcript);
        CHECK(!result.transcript->sources.front().empty());
        ++count;
    }
    CHECK(count >= 100);
}
