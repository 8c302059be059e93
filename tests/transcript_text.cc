#include "transcript_text.h"

#include <algorithm>
#include <charconv>

#include "transcript.h"

namespace restante_test {

namespace {

struct Escape {
    char letter;
    char octet;
};
constexpr Escape escapes_of_one_letter[] = {
    {'n', '\n'}, {'r', '\r'}, {'t', '\t'}, {'0', '\0'}, {'"', '"'}, {'\\', '\\'}, {'*', '*'},
};

/// All of `digits` in `base`.
std::optional<std::size_t> number_in(std::string_view digits, int base) {
    std::size_t number = 0;
    const char* after = digits.data() + digits.size();
    const auto [stopped, failure] = std::from_chars(digits.data(), after, number, base);
    if (digits.empty() || failure != std::errc() || stopped != after) return std::nullopt;
    return number;
}

/// `rest` starts after "\(" and then after ")".
bool append_repetition(std::string_view& rest, std::string& octets) {
    const std::size_t star = rest.find('*');
    const std::size_t end = rest.find(')', std::min(star, rest.size()));
    if (star == rest.npos || end == rest.npos) return false;
    const std::optional<std::size_t> count = number_in(rest.substr(star + 1, end - star - 1), 10);
    const std::optional<std::string> text = unescaped(rest.substr(0, star));
    if (!count || !text ||
        *count * std::max<std::size_t>(text->size(), 1) > repetition_octets_max) {
        return false;
    }
    for (std::size_t time = 0; time < *count; ++time) octets += *text;
    rest.remove_prefix(end + 1);
    return true;
}

/// `rest` starts after the backslash and then after the escape.
bool append_escape(std::string_view& rest, std::string& octets) {
    if (rest.empty()) return false;
    const char letter = rest.front();
    rest.remove_prefix(1);
    if (letter == '(') return append_repetition(rest, octets);
    if (letter == 'x' && rest.size() >= 2) {
        const std::optional<std::size_t> value = number_in(rest.substr(0, 2), 16);
        rest.remove_prefix(2);
        if (value) octets += static_cast<char>(*value);
        return value.has_value();
    }
    const auto* escape = std::ranges::find(escapes_of_one_letter, letter, &Escape::letter);
    if (escape == std::end(escapes_of_one_letter)) return false;
    octets += escape->octet;
    return true;
}

}  // namespace

std::optional<std::string> unescaped(std::string_view text) {
    std::string octets;
    while (!text.empty()) {
        const char octet = text.front();
        text.remove_prefix(1);
        if (octet != '\\') {
            octets += octet;
        } else if (!append_escape(text, octets)) {
            return std::nullopt;
        }
    }
    return octets;
}

std::optional<std::vector<std::string>> pattern_pieces(std::string_view text, Escapes escapes) {
    std::vector<std::string> pieces = {""};
    while (!text.empty()) {
        const char octet = text.front();
        text.remove_prefix(1);
        if (octet == '*') {
            pieces.emplace_back();
        } else if (octet != '\\' || escapes == Escapes::none) {
            pieces.back() += octet;
        } else if (!append_escape(text, pieces.back())) {
            return std::nullopt;
        }
    }
    return pieces;
}

bool Pattern::matches(std::string_view line) const {
    if (pieces_.size() == 1) return line == pieces_.front();
    if (!line.starts_with(pieces_.front())) return false;
    line.remove_prefix(pieces_.front().size());
    for (std::size_t index = 1; index + 1 < pieces_.size(); ++index) {
        const std::size_t at = line.find(pieces_[index]);
        if (at == line.npos) return false;
        line.remove_prefix(at + pieces_[index].size());
    }
    return line.ends_with(pieces_.back());
}

std::string Pattern::text() const {
    std::string text = escaped(pieces_.front());
    for (std::size_t index = 1; index < pieces_.size(); ++index)
        text += "*" + escaped(pieces_[index]);
    return text;
}

std::string generated_message(std::uint64_t octets) {
    constexpr std::string_view letters =
        "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    constexpr std::uint64_t line_octets_max = letters.size() + 2;  // at the client
    std::string message;
    std::uint64_t left = octets;
    const std::string head = "Subject: " + std::to_string(octets) + " octets\n\n";
    const std::uint64_t head_octets = head.size() + 2;
    if (octets >= head_octets && octets != head_octets + 1) {  // no line has one octet
        message = head;
        left -= head_octets;
    }
    while (left >= 2) {
        std::uint64_t line_octets = std::min(left, line_octets_max);
        if (left - line_octets == 1) --line_octets;
        message += letters.substr(0, line_octets - 2);
        message += '\n';
        left -= line_octets;
    }
    return message;
}

std::vector<std::string> wire_lines(std::string_view stored) {
    std::vector<std::string> lines;
    while (!stored.empty()) {
        const std::size_t line_feed = stored.find('\n');
        std::string_view line = stored.substr(0, line_feed);
        stored.remove_prefix(line_feed == stored.npos ? stored.size() : line_feed + 1);
        if (line_feed != stored.npos && line.ends_with('\r')) line.remove_suffix(1);
        lines.push_back((line.starts_with('.') ? "." : "") + std::string(line));
    }
    return lines;
}

std::string escaped(std::string_view octets) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    for (const char octet : octets) {
        const auto value = static_cast<unsigned char>(octet);
        if (octet == '\r') {
            text += "\\r";
        } else if (octet == '\n') {
            text += "\\n";
        } else if (octet == '\0') {
            text += "\\0";
        } else if (octet == '\\') {
            text += "\\\\";
        } else if (value < 0x20 || value > 0x7E) {
            text += {'\\', 'x', digits[value >> 4U], digits[value & 15U]};
        } else {
            text += octet;
        }
    }
    return text;
}

}  // namespace restante_test
