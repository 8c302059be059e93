#pragma once
/// A command line taken apart: pure, no allocation. What is legal when is data (command_table).

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace pop3 {

enum class Verb : std::uint8_t {
    apop,
    auth,
    capa,
    dele,
    list,
    noop,
    pass,
    quit,
    retr,
    rset,
    stat,
    stls,
    top,
    uidl,
    user,
};

/// The states in which a command may be given. UPDATE takes none (RFC 1939 §6).
enum class State : std::uint8_t { authorization = 1, transaction = 2 };

/// One row a command (RFC 1939 §9; RFC 2449 §5; RFC 2595 §4; RFC 5034 §4).
struct CommandRow {
    std::string_view keyword;  ///< upper case
    Verb verb;
    bool in_authorization;
    bool in_transaction;
    std::uint8_t arguments_min;
    std::uint8_t arguments_max;
    /// The last argument is the rest of the line, spaces included (PASS, RFC 1939 §7; USER
    /// likewise).
    bool takes_rest;

    constexpr bool allowed_in(State state) const {
        return state == State::authorization ? in_authorization : in_transaction;
    }
};

std::span<const CommandRow> command_table();
/// `keyword` in any case; nullptr where there is none such.
const CommandRow* find_command(std::string_view keyword);

/// Arguments point into the line that was parsed.
struct Command {
    Verb verb;
    std::array<std::string_view, 2> arguments{};
    std::uint8_t argument_count = 0;
};

enum class CommandError : std::uint8_t {
    unknown,      ///< no such keyword
    wrong_state,  ///< a known command that this state does not have
    arguments,    ///< too few or too many
    octets,       ///< NUL or another control octet (0x00..0x1F, 0x7F) in it
};

/// Either a command or why not; `std::expected` stays out of include/pop3 (clang 14 cannot read
/// it).
struct ParsedCommand {
    std::optional<Command> command;
    CommandError error{};  ///< where there is no command
};

/// `line` comes without its line end. Spaces between arguments may be many, trailing ones are
/// ignored (node and curl send "LIST "); those of a takes_rest argument are kept. A single space
/// ends the keyword.
ParsedCommand parse_command(std::string_view line, State state);

}  // namespace pop3
