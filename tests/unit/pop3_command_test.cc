/// Commands: the table beside RFC 1939 §9, and every way to write one.

#include <cctype>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

#include "pop3/command.h"
#include "pop3/limits.h"

using pop3::Command;
using pop3::CommandError;
using pop3::CommandRow;
using pop3::parse_command;
using pop3::ParsedCommand;
using pop3::State;
using pop3::Verb;

namespace {

constexpr State states[] = {State::authorization, State::transaction};

/// What RFC 1939 §9 (and below it the extensions) say in their own notation.
struct Rule {
    std::string_view usage;  ///< [optional]
    bool in_authorization;
    bool in_transaction;
};
constexpr Rule rules[] = {
    {"USER name", true, false},
    {"PASS string", true, false},
    {"QUIT", true, true},  // listed twice, once a state
    {"STAT", false, true},
    {"LIST [msg]", false, true},
    {"RETR msg", false, true},
    {"DELE msg", false, true},
    {"NOOP", false, true},
    {"RSET", false, true},
    {"APOP name digest", true, false},
    {"TOP msg n", false, true},
    {"UIDL [msg]", false, true},
    {"CAPA", true, true},   // RFC 2449 §5
    {"STLS", true, false},  // RFC 2595 §4
    {"AUTH [mechanism] [initial-response]", true,
     false},  // RFC 5034 §4; alone: lists the mechanisms
};

/// The table's row in the notation of RFC 1939 §9, arguments as their number.
std::string described(const CommandRow& row) {
    std::string text(row.keyword);
    for (int count = 0; count < row.arguments_max; ++count) {
        text += count < row.arguments_min ? " word" : " [word]";
    }
    return text;
}

std::string described(std::string_view usage) {
    std::string text(usage.substr(0, usage.find(' ')));
    for (std::size_t at = usage.find(' '); at != usage.npos; at = usage.find(' ', at + 1)) {
        text += usage[at + 1] == '[' ? " [word]" : " word";
    }
    return text;
}

/// "retr <1>", or what is wrong.
std::string outcome(std::string_view line, State state) {
    const ParsedCommand parsed = parse_command(line, state);
    if (!parsed.command) {
        switch (parsed.error) {
            case CommandError::unknown: return "unknown";
            case CommandError::wrong_state: return "wrong state";
            case CommandError::arguments: return "arguments";
            case CommandError::octets: return "octets";
        }
    }
    std::string text;
    for (const CommandRow& row : pop3::command_table()) {
        if (row.verb == parsed.command->verb) text = row.keyword;
    }
    for (int index = 0; index < parsed.command->argument_count; ++index) {
        text += " <" + std::string(parsed.command->arguments[index]) + ">";
    }
    return text;
}

std::string in_authorization(std::string_view line) { return outcome(line, State::authorization); }

std::string in_transaction(std::string_view line) { return outcome(line, State::transaction); }

}  // namespace

TEST_CASE("RFC 1939 §9: the command table is the command summary, and CAPA and AUTH") {
    CHECK(std::size(rules) == pop3::command_table().size());
    for (const Rule& rule : rules) {
        const CommandRow* row = pop3::find_command(rule.usage.substr(0, rule.usage.find(' ')));
        CAPTURE(std::string(rule.usage));
        REQUIRE(row != nullptr);
        CHECK(described(*row) == described(rule.usage));
        CHECK(row->in_authorization == rule.in_authorization);
        CHECK(row->in_transaction == rule.in_transaction);
        CHECK(row->takes_rest == (row->verb == Verb::user || row->verb == Verb::pass));
    }
}

TEST_CASE("RFC 1939 §3: every command in every state, with every number of arguments") {
    for (const CommandRow& row : pop3::command_table()) {
        for (const State state : states) {
            std::string line(row.keyword);
            for (int count = 0; count <= 4; ++count, line += " w") {
                CAPTURE(line);
                const ParsedCommand parsed = parse_command(line, state);
                const int given = row.takes_rest && count > 1 ? 1 : count;
                const bool fits = given >= row.arguments_min && given <= row.arguments_max;
                CHECK(parsed.command.has_value() == (row.allowed_in(state) && fits));
                if (parsed.command) {
                    CHECK(parsed.command->verb == row.verb);
                    CHECK(parsed.command->argument_count == given);
                } else {
                    const auto expected =
                        row.allowed_in(state) ? CommandError::arguments : CommandError::wrong_state;
                    CHECK(parsed.error == expected);
                }
            }
        }
    }
}

TEST_CASE("RFC 1939 §3: keywords are case-insensitive, in every mixture") {
    for (const CommandRow& row : pop3::command_table()) {
        for (unsigned cases = 0; cases < 1U << row.keyword.size(); ++cases) {
            std::string keyword(row.keyword);
            for (std::size_t at = 0; at < keyword.size(); ++at) {
                if ((cases >> at & 1U) != 0) {
                    keyword[at] = static_cast<char>(std::tolower(keyword[at]));
                }
            }
            CHECK(pop3::find_command(keyword) == &row);
        }
    }
}

TEST_CASE("no other keyword of up to three letters, and no neighbour of a real one, is a command") {
    CHECK(pop3::find_command("") == nullptr);
    CHECK(pop3::find_command({"\0TOP", 4}) == nullptr);
    CHECK(pop3::find_command({"TOP\0", 4}) == nullptr);
    for (int first = 0; first < 256; ++first) {
        for (int second = 0; second < 256; ++second) {
            const std::string two = {static_cast<char>(first), static_cast<char>(second)};
            CHECK(pop3::find_command(two) == nullptr);
        }
    }
    for (const CommandRow& row : pop3::command_table()) {
        const std::string keyword(row.keyword);
        CHECK(pop3::find_command(keyword + "X") == nullptr);
        CHECK(pop3::find_command(keyword.substr(0, keyword.size() - 1)) == nullptr);
        for (std::size_t at = 0; at < keyword.size(); ++at) {
            for (int value = 0; value < 256; ++value) {
                std::string other = keyword;
                other[at] = static_cast<char>(value);
                const CommandRow* found = pop3::find_command(other);
                const bool is_same = std::toupper(value) == keyword[at] && value < 128;
                CHECK((found == &row) == is_same);
            }
        }
    }
}

TEST_CASE("PASS and USER take the rest of the line after one space, spaces included") {
    CHECK(in_authorization("PASS secret") == "PASS <secret>");
    CHECK(in_authorization("PASS two words") == "PASS <two words>");
    CHECK(in_authorization("PASS trailing  ") == "PASS <trailing  >");
    CHECK(in_authorization("PASS  leading") == "PASS < leading>");
    CHECK(in_authorization("PASS  ") == "PASS < >");
    CHECK(in_authorization("USER the post office") == "USER <the post office>");
    CHECK(in_authorization("pass p\xC3\xA4ss") == "PASS <p\xC3\xA4ss>");
    CHECK(in_authorization("PASS") == "arguments");
    CHECK(in_authorization("PASS ") == "arguments");
    CHECK(in_authorization("USER ") == "arguments");
}

TEST_CASE("spaces between arguments may be many, trailing ones are ignored") {
    CHECK(in_transaction("LIST ") == "LIST");
    CHECK(in_transaction("LIST    ") == "LIST");
    CHECK(in_transaction("LIST 2   ") == "LIST <2>");
    CHECK(in_transaction("TOP   1    10 ") == "TOP <1> <10>");
    CHECK(in_transaction("QUIT ") == "QUIT");
    CHECK(in_authorization("APOP  mrose   c4c9 ") == "APOP <mrose> <c4c9>");
    CHECK(in_authorization("AUTH PLAIN =") == "AUTH <PLAIN> <=>");
    CHECK(in_authorization("AUTH") == "AUTH");
}

TEST_CASE("what is not a command is refused for its first fault") {
    CHECK(in_transaction("") == "unknown");
    CHECK(in_transaction(" ") == "unknown");
    CHECK(in_transaction(" NOOP") == "unknown");
    CHECK(in_transaction("NO OP") == "unknown");
    CHECK(in_transaction("NOOPS") == "unknown");
    CHECK(in_transaction("XTND XMIT") == "unknown");
    CHECK(in_transaction("RETR") == "arguments");
    CHECK(in_transaction("RETR 1 2") == "arguments");
    CHECK(in_transaction("RETR 1 2 3 4 5 6 7 8 9") == "arguments");
    CHECK(in_authorization("RETR 1 2") == "wrong state");
    CHECK(in_authorization("XTND\tXMIT") == "octets");
}

TEST_CASE("a control octet anywhere in the line is refused, every other one is not") {
    for (int value = 0; value < 256; ++value) {
        CAPTURE(value);
        const bool is_control = value < 0x20 || value == 0x7F;
        const std::string line = "PASS secret";
        for (std::size_t at = 0; at <= line.size(); ++at) {
            std::string odd = line;
            odd.insert(at, 1, static_cast<char>(value));
            CHECK((in_authorization(odd) == "octets") == is_control);
        }
    }
}

TEST_CASE("arguments point into the line") {
    const std::string line = "TOP 12 34";
    const ParsedCommand parsed = parse_command(line, State::transaction);
    REQUIRE(parsed.command);
    CHECK(parsed.command->arguments[0].data() == line.data() + 4);
    CHECK(parsed.command->arguments[1].data() == line.data() + 7);
}

TEST_CASE("a line of any octets within the limits is parsed without harm") {
    std::uint32_t random = 1;  // xorshift32
    for (int round = 0; round < 20000; ++round) {
        std::string line;
        const CommandRow& row = pop3::command_table()[round % pop3::command_table().size()];
        if (round % 3 != 0) line = row.keyword;
        for (std::uint32_t left = random % 30; left > 0; --left) {
            random ^= random << 13;
            random ^= random >> 17;
            random ^= random << 5;
            line += random % 4 == 0 ? ' ' : static_cast<char>(random >> 24);
        }
        for (const State state : states) {
            const ParsedCommand parsed = parse_command(line, state);
            if (!parsed.command) continue;
            const std::string_view word = std::string_view(line).substr(0, line.find(' '));
            const CommandRow* found = pop3::find_command(word);
            REQUIRE(found != nullptr);
            CHECK(found->allowed_in(state));
        }
        random += 1;
    }
}
