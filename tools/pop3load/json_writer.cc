#include "json_writer.h"

#include <fmt/format.h>

#include <cmath>
#include <utility>

#include "base/assert.h"
#include "readable.h"

namespace pop3load {
namespace {

constexpr std::size_t levels_with_lines = 2;
constexpr std::string_view replacement_character = "\xEF\xBF\xBD";  // U+FFFD

/// U+2028 and U+2029, which older JavaScript takes for line ends.
bool is_line_separator(std::string_view character) {
    return character == "\xE2\x80\xA8" || character == "\xE2\x80\xA9";
}

bool must_be_escaped(char octet) {
    return static_cast<unsigned char>(octet) < 0x20 || octet == 0x7F || octet == '"' ||
           octet == '\\' || octet == '<' || octet == '>' || octet == '&';
}

void append_character(std::string& text, std::string_view character) {
    if (is_line_separator(character)) {
        text += character[2] == '\xA8' ? "\\u2028" : "\\u2029";
    } else if (character.size() == 1 && must_be_escaped(character[0])) {
        text += fmt::format("\\u{:04x}", static_cast<unsigned char>(character[0]));
    } else {
        text += character;
    }
}

}  // namespace

JsonWriter& JsonWriter::key(std::string_view name) {
    ASSERT(!after_key_);
    string(name);
    text_ += ": ";
    after_key_ = true;
    return *this;
}

JsonWriter& JsonWriter::string(std::string_view value) {
    begin_value();
    text_ += '"';
    while (!value.empty()) {
        const std::size_t octets = utf8_octets(value);
        append_character(text_, octets == 0 ? replacement_character : value.substr(0, octets));
        value.remove_prefix(octets == 0 ? 1 : octets);
    }
    text_ += '"';
    return *this;
}

JsonWriter& JsonWriter::integer(std::uint64_t value) { return literal(fmt::format("{}", value)); }

JsonWriter& JsonWriter::number(double value) {
    return std::isfinite(value) ? literal(fmt::format("{}", value)) : null();
}

JsonWriter& JsonWriter::boolean(bool value) { return literal(value ? "true" : "false"); }

JsonWriter& JsonWriter::null() { return literal("null"); }

JsonWriter& JsonWriter::literal(std::string_view text) {
    begin_value();
    text_ += text;
    return *this;
}

std::string JsonWriter::take() {
    ASSERT(has_members_.empty());
    text_ += '\n';
    return std::exchange(text_, {});
}

JsonWriter& JsonWriter::open(char bracket) {
    begin_value();
    text_ += bracket;
    has_members_.push_back(false);
    return *this;
}

JsonWriter& JsonWriter::close(char bracket) {
    ASSERT(!has_members_.empty());
    ASSERT(!after_key_);
    const bool had_members = has_members_.back();
    has_members_.pop_back();
    if (had_members && has_members_.size() < levels_with_lines) begin_line();
    text_ += bracket;
    return *this;
}

/// A comma and a new line where one belongs before a value, or before its key.
void JsonWriter::begin_value() {
    if (std::exchange(after_key_, false) || has_members_.empty()) return;
    if (has_members_.back()) text_ += ',';
    if (has_members_.size() <= levels_with_lines) {
        begin_line();
    } else if (has_members_.back()) {
        text_ += ' ';
    }
    has_members_.back() = true;
}

void JsonWriter::begin_line() {
    text_ += '\n';
    text_.append(2 * has_members_.size(), ' ');
}

}  // namespace pop3load
