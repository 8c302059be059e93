// parse_command() against a reading of RFC 1939 §3 that splits and counts; arguments are views into
// the line; numbers against decimal arithmetic. Input: an octet for the state, then the line.
#include <algorithm>
#include <cctype>
#include <optional>
#include <string>
#include <vector>

#include "base/assert.h"
#include "fuzz/input.h"
#include "fuzz/target.h"
#include "pop3/command.h"
#include "pop3/types.h"

namespace restante::fuzz {
namespace {

std::string upper_case(std::string_view text) {
    std::string upper(text);
    for (char& octet : upper) {
        if (octet >= 'a' && octet <= 'z') octet = static_cast<char>(octet - 32);
    }
    return upper;
}

std::vector<std::string_view> words_of(std::string_view text) {
    std::vector<std::string_view> words;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = std::min(text.find(' ', at), text.size());
        if (end > at) words.push_back(text.substr(at, end - at));
        at = end + 1;
    }
    return words;
}

struct Expected {
    std::optional<pop3::CommandError> error;
    std::vector<std::string_view> arguments;
};

Expected expected_of(std::string_view line, pop3::State state) {
    using enum pop3::CommandError;
    for (const char octet : line) {
        if (std::iscntrl(static_cast<unsigned char>(octet)) != 0) return {octets, {}};
    }
    const std::size_t end = std::min(line.find(' '), line.size());
    const std::string keyword = upper_case(line.substr(0, end));
    const auto table = pop3::command_table();
    const auto row = std::ranges::find(table, keyword, &pop3::CommandRow::keyword);
    if (row == table.end()) return {unknown, {}};
    const bool is_login = state == pop3::State::authorization;
    if (!(is_login ? row->in_authorization : row->in_transaction)) return {wrong_state, {}};
    std::vector<std::string_view> given = words_of(line.substr(end));
    if (row->takes_rest) {
        given.clear();
        if (line.size() > end + 1) given.push_back(line.substr(end + 1));
    }
    if (given.size() < row->arguments_min || given.size() > row->arguments_max) {
        return {arguments, {}};
    }
    return {{}, given};
}

/// As a decimal number, at most UINT64_MAX; nothing where it is none, or greater than `most`.
std::optional<std::uint64_t> decimal(std::string_view digits, std::uint64_t most) {
    std::uint64_t value = 0;
    for (const char octet : digits) {
        if (octet < '0' || octet > '9') return std::nullopt;
        const auto digit = static_cast<std::uint64_t>(octet - '0');
        const bool fits = value <= (UINT64_MAX - digit) / 10;
        value = fits ? value * 10 + digit : UINT64_MAX;
    }
    if (digits.empty() || value > most) return std::nullopt;
    return value;
}

void check_numbers(std::string_view digits) {
    const std::optional<pop3::MessageNumber> number = pop3::MessageNumber::parse(digits);
    const std::optional<std::uint64_t> value = decimal(digits, UINT32_MAX);
    ASSERT(number.has_value() == (value.value_or(0) > 0));
    if (number) ASSERT(number->value() == *value);
    const std::optional<pop3::BodyLines> lines = pop3::BodyLines::parse(digits);
    ASSERT(lines.has_value() == decimal(digits, UINT64_MAX).has_value());
    if (lines) ASSERT(lines->count() == *decimal(digits, UINT64_MAX));
}

}  // namespace

void fuzz_command(std::string_view input) {
    Input parts(input);
    const auto state =
        parts.octet() % 2 == 0 ? pop3::State::authorization : pop3::State::transaction;
    const std::string_view line = parts.rest();
    const pop3::ParsedCommand parsed = pop3::parse_command(line, state);
    const Expected expected = expected_of(line, state);
    ASSERT(parsed.command.has_value() == !expected.error);
    check_numbers(line);
    if (!parsed.command) {
        ASSERT(parsed.error == *expected.error);
        return;
    }
    ASSERT(parsed.command->argument_count == expected.arguments.size());
    for (std::size_t at = 0; at < expected.arguments.size(); ++at) {
        const std::string_view argument = parsed.command->arguments[at];
        ASSERT(argument == expected.arguments[at]);
        ASSERT(argument.data() >= line.data());
        ASSERT(argument.data() + argument.size() <= line.data() + line.size());
        check_numbers(argument);
    }
}

}  // namespace restante::fuzz
