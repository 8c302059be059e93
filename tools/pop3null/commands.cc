#include "commands.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <optional>

#include "base/decimal.h"

namespace pop3null {
namespace {

constexpr std::string_view ok = "+OK\r\n";
constexpr std::string_view unknown_command = "-ERR unknown command\r\n";
constexpr std::string_view no_message = "-ERR no such message\r\n";
constexpr std::string_view capabilities =
    "+OK\r\nUSER\r\nTOP\r\nUIDL\r\nPIPELINING\r\nSASL PLAIN\r\n.\r\n";

/// Four octets of a keyword in lower case as one number; TOP's last one is a blank.
constexpr std::uint32_t keyword(std::string_view text) {
    std::uint32_t word = 0;
    for (std::size_t i = 0; i < 4; ++i) {
        const char octet = i < text.size() ? text[i] : ' ';
        word = word << 8 | (static_cast<unsigned char>(octet) | 0x20U);
    }
    return word;
}

/// Takes a number and the blanks before it.
std::optional<std::uint64_t> take_number(std::string_view& text) {
    text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
    return restante::take_decimal<std::uint64_t>(text);
}

/// Nothing where there is no such message.
std::optional<std::size_t> take_message_number(const CannedMail& mail, std::string_view& text) {
    const std::optional<std::uint64_t> number = take_number(text);
    if (!number || *number == 0 || *number > mail.count()) return std::nullopt;
    return *number;
}

/// Headers, blank line and `lines` of the body, then the termination.
void append_top(std::string_view wire, std::size_t header_octets, std::uint64_t lines,
                std::string& output) {
    constexpr std::string_view termination = ".\r\n";
    const std::size_t body_end = wire.size() - termination.size();
    std::size_t end = header_octets;
    for (; lines > 0 && end < body_end; --lines) end = wire.find('\n', end) + 1;
    output += "+OK\r\n";
    output += wire.substr(0, end);
    output += termination;
}

Answered top(const CannedMail& mail, std::string_view arguments, std::string& output) {
    const std::optional<std::size_t> number = take_message_number(mail, arguments);
    const std::optional<std::uint64_t> lines = take_number(arguments);
    if (!number || !lines) {
        output += no_message;
        return {After::nothing};
    }
    const WireMessage& message = mail.message(*number);
    append_top(mail.wire(message), message.header_octets, *lines, output);
    return {After::nothing};
}

Answered retr(const CannedMail& mail, std::string_view arguments, std::string& output) {
    const std::optional<std::size_t> number = take_message_number(mail, arguments);
    if (!number) {
        output += no_message;
        return {After::nothing};
    }
    const WireMessage& message = mail.message(*number);
    fmt::format_to(std::back_inserter(output), "+OK {} octets\r\n", message.octets);
    return {After::message, &message};
}

/// LIST and UIDL of one message.
Answered list_one(const CannedMail& mail, std::string_view arguments, bool is_uidl,
                  std::string& output) {
    const std::optional<std::size_t> number = take_message_number(mail, arguments);
    if (!number) {
        output += no_message;
    } else if (is_uidl) {
        output += fmt::format("+OK {} {}\r\n", *number, unique_id(*number));
    } else {
        output += fmt::format("+OK {} {}\r\n", *number, mail.message(*number).octets);
    }
    return {After::nothing};
}

/// AUTH PLAIN with and without its response in the line; AUTH alone lists the mechanisms.
Answered auth(std::string_view arguments, std::string& output) {
    if (arguments.empty()) {
        output += "+OK\r\nPLAIN\r\n.\r\n";
        return {After::nothing};
    }
    if (keyword(arguments.substr(1)) != keyword("plai")) {
        output += "-ERR PLAIN only\r\n";
        return {After::nothing};
    }
    const bool has_response = arguments.find(' ', 1) != std::string_view::npos;
    output += has_response ? ok : std::string_view("+ \r\n");
    return {has_response ? After::nothing : After::sasl_response};
}

}  // namespace

Answered answer(const CannedMail& mail, std::string_view line, std::string& output) {
    const std::string_view arguments = line.substr(std::min<std::size_t>(4, line.size()));
    const bool has_arguments = arguments.find_first_not_of(' ') != std::string_view::npos;
    switch (keyword(line)) {
        case keyword("quit"): output += ok; return {After::close};
        case keyword("stat"): output += mail.stat(); return {After::nothing};
        case keyword("retr"): return retr(mail, arguments, output);
        case keyword("top "): return top(mail, arguments, output);
        case keyword("capa"): output += capabilities; return {After::nothing};
        case keyword("auth"): return auth(has_arguments ? arguments : "", output);
        case keyword("list"):
            if (has_arguments) return list_one(mail, arguments, false, output);
            output += mail.list();
            return {After::nothing};
        case keyword("uidl"):
            if (has_arguments) return list_one(mail, arguments, true, output);
            output += mail.uidl();
            return {After::nothing};
        case keyword("dele"): {
            std::string_view rest = arguments;
            output += take_message_number(mail, rest) ? ok : no_message;
            return {After::nothing};
        }
        case keyword("user"):
        case keyword("pass"):
        case keyword("apop"):
        case keyword("rset"):
        case keyword("noop"): output += ok; return {After::nothing};
        default: output += unknown_command; return {After::nothing};
    }
}

}  // namespace pop3null
