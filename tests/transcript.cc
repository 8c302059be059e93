#include "transcript.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "transcript_text.h"

namespace restante_test {

namespace {

/// Takes `prefix` off `text` where it is there.
bool take(std::string_view& text, std::string_view prefix) {
    if (!text.starts_with(prefix)) return false;
    text.remove_prefix(prefix.size());
    return true;
}

std::string_view trimmed(std::string_view text) {
    const std::size_t first = text.find_first_not_of(" \t\r");
    if (first == text.npos) return {};
    return text.substr(first, text.find_last_not_of(" \t\r") + 1 - first);
}

std::optional<std::uint64_t> number_in(std::string_view text) {
    std::uint64_t number = 0;
    const char* after = text.data() + text.size();
    const auto [stopped, failure] = std::from_chars(text.data(), after, number);
    if (text.empty() || failure != std::errc() || stopped != after) return std::nullopt;
    return number;
}

std::optional<std::chrono::seconds> duration_in(std::string_view text) {
    if (text.empty()) return std::nullopt;
    const std::optional<std::uint64_t> count = number_in(text.substr(0, text.size() - 1));
    if (!count || *count > 1'000'000) return std::nullopt;
    const auto value = static_cast<std::int64_t>(*count);
    switch (text.back()) {
        case 's': return std::chrono::seconds(value);
        case 'm': return std::chrono::minutes(value);
        case 'h': return std::chrono::hours(value);
        default: return std::nullopt;
    }
}

/// One transcript, line by line. A line's function says what is wrong with it: "" = nothing.
class Parser {
public:
    explicit Parser(std::string_view name) { transcript_.name = name; }

    ParsedTranscript parse(std::string_view text) {
        while (!text.empty()) {
            const std::size_t octets = std::min(text.find('\n'), text.size());
            ++line_;
            const std::string error = parse_line(text.substr(0, octets));
            if (!error.empty()) return {std::nullopt, line_, error};
            text.remove_prefix(std::min(octets + 1, text.size()));
        }
        if (transcript_.sources.empty()) return {std::nullopt, 1, "does not begin with its source"};
        if (!left_is_given_) return {std::nullopt, line_, "does not end with `left:`"};
        return {std::move(transcript_), 0, ""};
    }

private:
    std::string parse_line(std::string_view text) {
        std::string_view rest = text;
        if (take(rest, "#")) return comment(trimmed(rest));
        if (trimmed(text).empty()) return "";
        if (transcript_.sources.empty()) return "does not begin with its source";
        if (left_is_given_) return "`left:` is not the last line";
        if (take(rest, "C: ") || take(rest, "C:")) return send(std::string(rest) + "\r\n");
        if (take(rest, "C, raw: ")) return send_raw(rest);
        if (take(rest, "S: ") || take(rest, "S:")) return expect(rest, Escapes::none, Novelty::any);
        if (take(rest, "S, raw: ")) return expect(rest, Escapes::backslash, Novelty::any);
        if (take(rest, "S, new: ")) return expect(rest, Escapes::none, Novelty::fresh);
        if (take(rest, "S, seen: ")) return expect(rest, Escapes::none, Novelty::seen);
        if (take(rest, "S, message: ")) return expect_message(trimmed(rest));
        if (take(rest, "left:")) return left(trimmed(rest));
        if (take(rest, "wait ")) return wait(trimmed(rest));
        if (take(rest, "outside: ")) return outside(trimmed(rest));
        if (take(rest, "connection ")) return use_connection(trimmed(rest));
        if (const std::optional<std::string> error = parse_word(trimmed(text))) return *error;
        if (is_in_dialogue()) return "not a step of a dialogue, or a directive that comes too late";
        return directive(rest);
    }

    /// Lines that are one fixed phrase.
    std::optional<std::string> parse_word(std::string_view text) {
        if (text == "login") return login();
        if (text == "CLOSE") return add({.kind = StepKind::client_closes});
        if (text == "S closes") return add({.kind = StepKind::server_closes});
        if (text == "new connection") return open_connection();
        return std::nullopt;
    }

    std::string comment(std::string_view text) {
        if (!is_in_dialogue() && transcript_.messages.empty())
            transcript_.sources.emplace_back(text);
        return "";
    }

    std::string directive(std::string_view rest) {
        if (take(rest, "message")) return message(rest);
        if (take(rest, "setting: ")) return setting(rest);
        if (take(rest, "fault: remove ")) return fault(trimmed(rest));
        if (take(rest, "maildrop: missing")) {
            transcript_.has_maildrop = false;
            return "";
        }
        if (take(rest, "password: ")) {
            const std::optional<std::string> password = unescaped(rest);
            if (!password) return "bad escape";
            transcript_.password = *password;
            return "";
        }
        return "unknown directive";
    }

    /// " NAME: 120", ": 120", ": \"octets\"".
    std::string message(std::string_view rest) {
        const std::size_t colon = rest.rfind(": ", rest.find('"'));
        if (colon == rest.npos) return "message wants `: ` and octets";
        std::string name(trimmed(rest.substr(0, colon)));
        const std::optional<std::string> octets = message_octets(trimmed(rest.substr(colon + 2)));
        if (!octets) return "neither a number of octets (but not 1) nor a literal in quotes";
        if (name.empty()) name = default_file_name();
        transcript_.messages.push_back({std::move(name), *octets});
        return "";
    }

    std::optional<std::string> message_octets(std::string_view text) const {
        if (const std::optional<std::uint64_t> octets = number_in(text)) {
            if (*octets == 1 || *octets > repetition_octets_max) return std::nullopt;
            return generated_message(*octets);
        }
        if (text.size() < 2 || !text.starts_with('"') || !text.ends_with('"')) return std::nullopt;
        return unescaped(text.substr(1, text.size() - 2));
    }

    /// Names that sort as the messages stand here.
    std::string default_file_name() const {
        const std::size_t number = transcript_.messages.size() + arrived_ + 1;
        return std::to_string(1'000'000'000 + number) + ".M1P1.transcript";
    }

    std::string setting(std::string_view rest) {
        const std::size_t equals = rest.find('=');
        if (equals == rest.npos) return "setting wants key = value";
        const std::string key(trimmed(rest.substr(0, equals)));
        const std::string value(trimmed(rest.substr(equals + 1)));
        if (key.find('.') == key.npos || value.empty()) return "setting wants section.key = value";
        transcript_.settings.push_back({key, value});
        return "";
    }

    std::string fault(std::string_view text) {
        const std::optional<std::uint32_t> number = message_number(text);
        if (!number) return "no such message";
        transcript_.removals_that_fail.push_back(*number);
        return "";
    }

    bool is_in_dialogue() const { return !transcript_.steps.empty(); }

    std::string add(Step step) {
        if (!is_in_dialogue()) open_connection();
        step.source_line = line_;
        transcript_.steps.push_back(std::move(step));
        return "";
    }

    std::string open_connection() {
        Step step{.kind = StepKind::open};
        step.source_line = line_;
        step.number = ++connections_;
        transcript_.steps.push_back(std::move(step));
        return "";
    }

    std::string use_connection(std::string_view text) {
        const std::optional<std::uint64_t> number = number_in(text);
        if (!number || *number == 0 || *number > connections_) return "no such connection";
        Step step{.kind = StepKind::use};
        step.number = static_cast<std::uint32_t>(*number);
        return add(std::move(step));
    }

    std::string send(std::string octets) {
        Step step{.kind = StepKind::send};
        step.octets = std::move(octets);
        return add(std::move(step));
    }

    std::string send_raw(std::string_view text) {
        std::optional<std::string> octets = unescaped(text);
        return octets ? send(std::move(*octets)) : "bad escape";
    }

    std::string expect(std::string_view text, Escapes escapes, Novelty novelty) {
        if (text == "...*" && escapes == Escapes::none) return add({.kind = StepKind::skip});
        std::optional<std::vector<std::string>> pieces = pattern_pieces(text, escapes);
        if (!pieces) return "bad escape";
        Step step{.kind = StepKind::line};
        step.pattern = Pattern(std::move(*pieces));
        step.novelty = novelty;
        return add(std::move(step));
    }

    std::string expect_exactly(std::string_view text) {
        Step step{.kind = StepKind::line};
        step.pattern = Pattern({std::string(text)});
        return add(std::move(step));
    }

    std::string expect_message(std::string_view text) {
        const std::optional<std::uint32_t> number = message_number(text);
        if (!number || *number > transcript_.messages.size()) return "no such message";
        for (const std::string& line : wire_lines(transcript_.messages[*number - 1].octets)) {
            expect_exactly(line);
        }
        return expect_exactly(".");
    }

    std::string login() {
        if (!is_in_dialogue()) open_connection();
        if (transcript_.steps.back().kind == StepKind::open) {
            expect("+OK POP3 ready*", Escapes::none, Novelty::any);
        }
        send("USER " + std::string(standard_user) + "\r\n");
        expect_exactly("+OK");
        send("PASS " + transcript_.password + "\r\n");
        return expect_exactly("+OK logged in");
    }

    std::string wait(std::string_view text) {
        const std::optional<std::chrono::seconds> duration = duration_in(text);
        if (!duration) return "wait wants a number and s, m or h";
        Step step{.kind = StepKind::wait};
        step.duration = *duration;
        return add(std::move(step));
    }

    std::string outside(std::string_view text) {
        if (take(text, "deliver ")) return outside_deliver(trimmed(text));
        Step step{.kind = StepKind::outside_flag};
        if (take(text, "remove ")) {
            step.kind = StepKind::outside_remove;
        } else if (!take(text, "flag ")) {
            return "outside wants remove, flag or deliver";
        }
        const std::optional<std::uint32_t> number = message_number(text);
        if (!number) return "no such message";
        step.number = *number;
        return add(std::move(step));
    }

    std::string outside_deliver(std::string_view text) {
        const std::optional<std::string> octets = message_octets(text);
        if (!octets) return "neither a number of octets (but not 1) nor a literal in quotes";
        Step step{.kind = StepKind::outside_deliver};
        step.octets = *octets;
        step.file_name = default_file_name();
        ++arrived_;
        return add(std::move(step));
    }

    std::optional<std::uint32_t> message_number(std::string_view text) const {
        const std::optional<std::uint64_t> number = number_in(text);
        if (!number || *number == 0) return std::nullopt;
        if (*number > transcript_.messages.size() + arrived_) return std::nullopt;
        return static_cast<std::uint32_t>(*number);
    }

    /// "all", "none" or numbers.
    std::string left(std::string_view text) {
        if (!is_in_dialogue()) return "no dialogue";
        left_is_given_ = true;
        const auto count = static_cast<std::uint32_t>(transcript_.messages.size() + arrived_);
        if (text == "none") return "";
        if (text == "all") {
            for (std::uint32_t number = 1; number <= count; ++number) {
                transcript_.left.push_back(number);
            }
            return "";
        }
        while (!text.empty()) {
            const std::string_view word = text.substr(0, text.find(' '));
            const std::optional<std::uint32_t> number = message_number(word);
            if (!number) return "no such message";
            if (!transcript_.left.empty() && *number <= transcript_.left.back())
                return "not ascending";
            transcript_.left.push_back(*number);
            text = trimmed(text.substr(word.size()));
        }
        return transcript_.left.empty() ? "left wants all, none or numbers" : "";
    }

    Transcript transcript_;
    std::uint32_t line_ = 0;
    std::uint32_t connections_ = 0;
    std::uint32_t arrived_ = 0;  // messages delivered from outside
    bool left_is_given_ = false;
};

}  // namespace

ParsedTranscript parse_transcript(std::string_view name, std::string_view text) {
    return Parser(name).parse(text);
}

ParsedTranscript read_transcript(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) return {std::nullopt, 0, "cannot be opened"};
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    return parse_transcript(std::filesystem::path(path).stem().string(), text);
}

}  // namespace restante_test
