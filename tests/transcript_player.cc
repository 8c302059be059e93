#include "transcript_player.h"

#include <algorithm>
#include <utility>

namespace restante_test {

namespace {

/// Of the dialogue that a failure shows: its end.
constexpr std::size_t shown_octets_max = 4096;

std::string end_of(const std::string& text) {
    if (text.size() <= shown_octets_max) return text;
    const std::size_t line_end = text.find('\n', text.size() - shown_octets_max);
    return line_end == text.npos ? "" : "...\n" + text.substr(line_end + 1);
}

}  // namespace

Player::Player(const Transcript& transcript, Pace pace, Md5Hex md5_hex)
    : transcript_(transcript), pace_(pace), md5_hex_(std::move(md5_hex)) {}

std::string Player::failure() const {
    if (!failure_.empty()) return failure_;
    for (const auto& [number, connection] : connections_) {
        if (connection.octets.empty()) continue;
        return transcript_.name + ".pop3:\n" + end_of(dialogue_) +
               "the server sent more on connection " + std::to_string(number) + ": " +
               escaped(connection.octets.substr(0, shown_octets_max));
    }
    return "";
}

Action Player::action() const {
    const std::size_t send = next_send();
    if (send < transcript_.steps.size()) {
        Action action{.kind = ActionKind::send, .connection = current_};
        action.octets = octets_to_send(transcript_.steps[send]);
        return action;
    }
    Action action{.kind = ActionKind::receive, .connection = current_, .number = step().number};
    switch (step().kind) {
        case StepKind::open:
            action.kind = ActionKind::connect;
            action.connection = step().number;
            break;
        case StepKind::client_closes: action.kind = ActionKind::close; break;
        case StepKind::wait: action.kind = ActionKind::wait; break;
        case StepKind::outside_remove: action.kind = ActionKind::outside_remove; break;
        case StepKind::outside_flag: action.kind = ActionKind::outside_flag; break;
        case StepKind::outside_deliver: action.kind = ActionKind::outside_deliver; break;
        case StepKind::use:
        case StepKind::send:
        case StepKind::line:
        case StepKind::skip:
        case StepKind::server_closes: break;
    }
    action.octets = step().octets;
    action.file_name = step().file_name;
    action.duration = step().duration;
    return action;
}

/// The step to send now, or the number of steps: nothing is to be sent.
std::size_t Player::next_send() const {
    const std::size_t none = transcript_.steps.size();
    for (std::size_t index = std::max(at_, sent_); index < none; ++index) {
        const Step& step = transcript_.steps[index];
        if (step.kind == StepKind::send) {
            const bool needs_greeting = step.octets.find(apop_token) != std::string::npos;
            return index == at_ || !needs_greeting ? index : none;
        }
        const bool is_answer = step.kind == StepKind::line || step.kind == StepKind::skip;
        if (pace_ == Pace::as_written || !is_answer) return none;
    }
    return none;
}

std::string Player::octets_to_send(const Step& step) const {
    std::string octets = step.octets;
    const std::size_t token = octets.find(apop_token);
    if (token != std::string::npos) {
        const std::string secret = connections_.at(current_).timestamp + transcript_.password;
        octets.replace(token, apop_token.size(), md5_hex_(secret));
    }
    return octets;
}

void Player::done() {
    const std::size_t send = next_send();
    if (send < transcript_.steps.size()) {
        dialogue_ += "C: " + escaped(transcript_.steps[send].octets) + "\n";
        sent_ = send + 1;
        match();
        return;
    }
    if (step().kind == StepKind::open) {
        current_ = step().number;
        connections_[current_] = {};
        dialogue_ += "connection " + std::to_string(current_) + "\n";
    }
    if (step().kind == StepKind::client_closes) {
        connections_[current_].octets.clear();
        connections_[current_].is_closed_by_client = true;
        dialogue_ += "CLOSE\n";
    }
    ++at_;
    match();
}

void Player::received(std::uint32_t number, std::string_view octets) {
    Connection& connection = connections_[number];
    if (connection.is_closed_by_client) return;
    connection.octets += octets;
    match();
}

void Player::server_closed(std::uint32_t number) {
    connections_[number].is_closed_by_server = true;
    match();
}

void Player::fail(std::string_view reason) {
    if (is_over()) return;
    failure_ = transcript_.name + ".pop3:" + std::to_string(step().source_line) + ": " +
               std::string(reason) + "\n" + end_of(dialogue_);
    const auto connection = connections_.find(current_);
    if (connection != connections_.end() && !connection->second.octets.empty()) {
        const std::string unmatched = connection->second.octets.substr(0, shown_octets_max);
        failure_ += "unmatched: " + escaped(unmatched) + "\n";
    }
}

/// Passes the steps that what was received fulfils.
void Player::match() {
    while (!is_over() && match_step()) ++at_;
}

/// False: more is needed, or something else than receiving, or it failed.
bool Player::match_step() {
    if (step().kind == StepKind::use) {
        current_ = step().number;
        return true;
    }
    if (step().kind == StepKind::send) return sent_ > at_;
    if (step().kind == StepKind::server_closes) return match_close(connections_[current_]);
    if (step().kind != StepKind::line && step().kind != StepKind::skip) return false;

    Connection& connection = connections_[current_];
    while (true) {
        const std::size_t end = connection.octets.find("\r\n");
        if (end == std::string::npos) {
            if (connection.is_closed_by_server) {
                fail("expected `" + step().pattern.text() + "`, but the server closed");
            }
            return false;
        }
        const std::string line = connection.octets.substr(0, end);
        if (step().kind == StepKind::skip && line == ".") return true;
        if (step().kind == StepKind::line && !match_line(step(), line)) return false;
        connection.octets.erase(0, end + 2);
        note_line(connection, line);
        if (step().kind == StepKind::line) return true;
    }
}

bool Player::match_line(const Step& step, std::string_view line) {
    const bool is_seen = seen_.contains(std::string(line));
    if (line.find('\n') != line.npos) {
        fail("expected CRLF, got a bare LF in `" + escaped(line) + "`");
    } else if (!step.pattern.matches(line)) {
        fail("expected `" + step.pattern.text() + "`, got `" + escaped(line) + "`");
    } else if (step.novelty == Novelty::fresh && is_seen) {
        fail("expected a new line, got `" + escaped(line) + "` again");
    } else if (step.novelty == Novelty::seen && !is_seen) {
        fail("expected a line seen before, got `" + escaped(line) + "`");
    }
    return failure_.empty();
}

bool Player::match_close(const Connection& connection) {
    if (!connection.octets.empty()) {
        fail("expected the server to close without a word, got `" + escaped(connection.octets) +
             "`");
        return false;
    }
    if (connection.is_closed_by_server) dialogue_ += "S closes\n";
    return connection.is_closed_by_server;
}

void Player::note_line(Connection& connection, const std::string& line) {
    dialogue_ += "S: " + escaped(line) + "\n";
    seen_.insert(line);
    if (std::exchange(connection.has_greeting, true)) return;
    const std::size_t begin = line.find('<');
    const std::size_t end = line.find('>');
    if (begin != line.npos && end != line.npos && begin < end) {
        connection.timestamp = line.substr(begin, end + 1 - begin);
    }
}

}  // namespace restante_test
