#include "pop3/command.h"

#include <algorithm>

namespace pop3 {

namespace {

constexpr CommandRow commands[] = {
    // keyword, verb, in authorization, in transaction, arguments min, max, takes the rest
    {"APOP", Verb::apop, true, false, 2, 2, false}, {"AUTH", Verb::auth, true, false, 0, 2, false},
    {"CAPA", Verb::capa, true, true, 0, 0, false},  {"DELE", Verb::dele, false, true, 1, 1, false},
    {"LIST", Verb::list, false, true, 0, 1, false}, {"NOOP", Verb::noop, false, true, 0, 0, false},
    {"PASS", Verb::pass, true, false, 1, 1, true},  {"QUIT", Verb::quit, true, true, 0, 0, false},
    {"RETR", Verb::retr, false, true, 1, 1, false}, {"RSET", Verb::rset, false, true, 0, 0, false},
    {"STAT", Verb::stat, false, true, 0, 0, false}, {"STLS", Verb::stls, true, false, 0, 0, false},
    {"TOP", Verb::top, false, true, 2, 2, false},   {"UIDL", Verb::uidl, false, true, 0, 1, false},
    {"USER", Verb::user, true, false, 1, 1, true},
};

/// A keyword as one number, whatever its case: ours are letters, in which one bit says that. 0 of
/// what none of ours is as long as.
constexpr std::uint32_t number_of(std::string_view keyword) {
    constexpr std::uint32_t but_case = 0xDFDFDFDF;
    std::uint32_t number = 0;
    if (keyword.size() > sizeof number) return 0;
    for (const char octet : keyword) number = number << 8 | static_cast<unsigned char>(octet);
    return number & but_case;
}

constexpr auto numbers = [] {
    std::array<std::uint32_t, std::size(commands)> numbers{};
    std::ranges::transform(commands, numbers.begin(), number_of, &CommandRow::keyword);
    return numbers;
}();
static_assert(std::ranges::count(numbers, 0U) == 0);

bool is_control(char octet) {
    const auto value = static_cast<unsigned char>(octet);
    return value < 0x20 || value == 0x7F;
}

/// The octets up to the first space, taken off `rest`.
std::string_view take_word(std::string_view& rest) {
    const auto* const end = std::ranges::find(rest, ' ');  // near: memchr(3) is not worth its call
    const std::string_view word(rest.begin(), end);
    rest.remove_prefix(word.size());
    return word;
}

void skip_spaces(std::string_view& rest) {
    rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
}

/// False where `command` has no room for it.
bool add_argument(Command& command, std::string_view argument) {
    if (command.argument_count == command.arguments.size()) return false;
    command.arguments[command.argument_count++] = argument;
    return true;
}

/// `rest` starts at the space after the keyword, or is empty. False: more arguments than there can
/// be.
bool split_arguments(const CommandRow& row, std::string_view rest, Command& command) {
    if (row.takes_rest) {
        if (!rest.empty()) rest.remove_prefix(1);
        return rest.empty() || add_argument(command, rest);
    }
    for (skip_spaces(rest); !rest.empty(); skip_spaces(rest)) {
        if (!add_argument(command, take_word(rest))) return false;
    }
    return true;
}

}  // namespace

std::span<const CommandRow> command_table() { return commands; }

const CommandRow* find_command(std::string_view keyword) {
    const auto* const found = std::ranges::find(numbers, number_of(keyword));
    if (found == numbers.end()) return nullptr;
    const CommandRow& row = commands[found - numbers.begin()];
    return row.keyword.size() == keyword.size() ? &row : nullptr;  // "\0TOP"
}

ParsedCommand parse_command(std::string_view line, State state) {
    if (std::ranges::any_of(line, is_control)) return {std::nullopt, CommandError::octets};
    std::string_view rest = line;
    const CommandRow* row = find_command(take_word(rest));
    if (row == nullptr) return {std::nullopt, CommandError::unknown};
    if (!row->allowed_in(state)) return {std::nullopt, CommandError::wrong_state};
    Command command{.verb = row->verb};
    const bool fits = split_arguments(*row, rest, command);
    if (!fits || command.argument_count < row->arguments_min ||
        command.argument_count > row->arguments_max) {
        return {std::nullopt, CommandError::arguments};
    }
    return {command};
}

}  // namespace pop3
