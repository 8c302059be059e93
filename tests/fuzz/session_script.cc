#include "fuzz/session_script.h"

#include <algorithm>

#include "base/decimal.h"
#include "pop3/command.h"
#include "pop3/limits.h"
#include "pop3/types.h"
#include "sim/wire_reply.h"

namespace restante::fuzz {
namespace {

constexpr char event_mark = '\xFF';
constexpr std::string_view line_end = "\r\n";

/// "+OK 120 octets": RETR.
std::optional<std::uint64_t> octets_announced(std::string_view status) {
    if (!status.starts_with("+OK ") || !status.ends_with(" octets")) return std::nullopt;
    return parse_decimal<std::uint64_t>(status.substr(4, status.size() - 11));
}

bool begins_lines(std::string_view status) {
    return status.starts_with("+OK ") &&
           (status.ends_with(" follows") || status.ends_with(" follow"));
}

std::string fault_of_status(std::string_view status) {
    if (status.size() + line_end.size() > pop3::response_line_octets_max) return "too long";
    if (!status.starts_with("+OK") && !status.starts_with("-ERR") && !status.starts_with("+ ")) {
        return "no reply";
    }
    const bool is_printable =
        std::ranges::all_of(status, [](char octet) { return octet >= ' ' && octet <= '~'; });
    return is_printable ? "" : "odd octets";
}

std::string fault_of_text(const sim::WireReply& reply, const std::vector<std::string>& messages) {
    const std::optional<std::uint64_t> octets = octets_announced(reply.status);
    if (octets && *octets != reply.text.size()) return "not as many octets as announced";
    const bool is_top = reply.status.starts_with("+OK top ");
    if (!octets && !is_top) return "";
    const bool is_known = std::ranges::any_of(messages, [&](const std::string& message) {
        const std::string form = sim::wire_form(message);
        return is_top ? form.starts_with(reply.text) : form == reply.text;
    });
    return is_known ? "" : "not the message";
}

}  // namespace

std::vector<SessionStep> session_steps(std::string_view script) {
    std::vector<SessionStep> steps;
    for (;;) {
        const std::size_t at = script.find(event_mark);
        if (at == std::string_view::npos || at + 1 == script.size()) break;
        const auto kind = static_cast<std::uint8_t>(script[at + 1]) % session_events;
        steps.push_back({script.substr(0, at), true, static_cast<SessionEvent>(kind)});
        script.remove_prefix(at + 2);
    }
    steps.push_back({.octets = script});
    return steps;
}

bool is_undisturbed(const std::vector<SessionStep>& steps) {
    return std::ranges::all_of(steps, [](const SessionStep& step) {
        return step.event == SessionEvent::reply || step.event == SessionEvent::wait;
    });
}

void Removals::take_octets(std::string_view octets) {
    for (const char octet : octets) {
        if (octet != '\n') {
            line_ += octet;
            continue;
        }
        if (line_.ends_with('\r')) line_.pop_back();
        take_line(line_);
        line_.clear();
    }
}

void Removals::take_line(std::string_view line) {
    const std::optional<pop3::Command> command =
        pop3::parse_command(line, pop3::State::transaction).command;
    if (!command) return;
    if (command->verb == pop3::Verb::dele) {
        const auto number = pop3::MessageNumber::parse(command->arguments[0]);
        if (number) marked_.push_back(number->value());
    }
    if (command->verb == pop3::Verb::quit) {
        removable_.insert(removable_.end(), marked_.begin(), marked_.end());
    }
}

void Removals::end_connection() {
    line_.clear();
    marked_.clear();
}

std::string fault_of_replies(std::string_view received, const std::vector<std::string>& messages,
                             bool may_be_cut) {
    std::string rest(received);
    while (!rest.empty()) {
        const std::string_view status = std::string_view(rest).substr(0, rest.find(line_end));
        const bool has_text = octets_announced(status).has_value() || begins_lines(status);
        const std::optional<sim::WireReply> reply = sim::take_reply(rest, has_text);
        if (!reply) return may_be_cut ? "" : "the last reply is not whole: " + rest;
        for (const std::string& fault :
             {fault_of_status(reply->status), fault_of_text(*reply, messages)}) {
            if (!fault.empty()) return fault + ": " + reply->status;
        }
    }
    return "";
}

}  // namespace restante::fuzz
