#include "maildir/uidl_format.h"

#include <md5.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <span>

#include "base/assert.h"
#include "maildir/content_digest.h"
#include "maildir/list_reading.h"
#include "pop3/limits.h"

namespace restante {

namespace {

using Variable = UidlFormat::Variable;
using Step = UidlFormat::Step;
using Piece = UidlFormat::Piece;

struct VariableName {
    char letter;            // 2.3
    std::string_view name;  // 2.4, and 2.3's long form
    Variable variable;
};
constexpr VariableName variable_names[] = {
    {'u', "uid", Variable::uid},
    {'v', "uidvalidity", Variable::uidvalidity},
    {'f', "filename", Variable::filename},
    {'g', "guid", Variable::guid},
};

std::string why_unknown(char letter) {
    switch (letter) {
        case 'm': return "%m (MD5 of an mbox message's headers) does not exist for Maildir";
        case 'x': return "'x' is no modifier: hex is 'X' (and gives lower-case digits)";
        default: break;
    }
    return "the variable '%" + std::string(1, letter) + "' is unknown: use %u, %v, %f or %g";
}

struct FilterName {
    std::string_view name;
    Step::Kind kind;
};
constexpr FilterName filter_names[] = {
    {"hex", Step::Kind::hex},
    {"md5", Step::Kind::md5},
    {"lower", Step::Kind::lower},
    {"upper", Step::Kind::upper},
};

bool is_number(Variable variable) {
    return variable == Variable::uid || variable == Variable::uidvalidity;
}

std::string_view trimmed(std::string_view text) {
    while (text.starts_with(' ')) text.remove_prefix(1);
    while (text.ends_with(' ')) text.remove_suffix(1);
    return text;
}

std::string quoted(std::string_view text) {
    std::string in_quotes(1, '\'');
    in_quotes += text;
    in_quotes += '\'';
    return in_quotes;
}

/// Reads a format from left to right; the first thing not understood ends it.
class Compiler {
public:
    explicit Compiler(std::string_view format) : rest_(format) {}
    std::expected<std::vector<Piece>, std::string> compile();

private:
    bool compile_percent();
    bool read_widths(Piece& piece);
    bool read_modifiers(std::vector<Step>& steps);
    bool read_variable(Piece& piece);
    bool read_braces(Piece& piece);
    bool read_filter(std::string_view filter, Piece& piece);
    bool read_width(std::size_t& width);
    bool check_numbers(const Piece& piece);
    void add_literal(char c);
    bool refuse(std::string reason) {
        error_ = std::move(reason);
        return false;
    }

    std::string_view rest_;
    std::vector<Piece> pieces_;
    std::string error_;
};

std::expected<std::vector<Piece>, std::string> Compiler::compile() {
    while (!rest_.empty()) {
        const char c = rest_.front();
        rest_.remove_prefix(1);
        if (c != '%') {
            if (c < 0x21 || c > 0x7E) {
                return std::unexpected(
                    "a unique-id cannot contain spaces, control octets or 8-bit octets");
            }
            add_literal(c);
        } else if (!compile_percent()) {
            return std::unexpected(error_);
        }
    }
    const bool tells_messages_apart = std::ranges::any_of(pieces_, [](const Piece& piece) {
        return piece.variable != Variable::literal && piece.variable != Variable::uidvalidity;
    });
    if (!tells_messages_apart) {
        return std::unexpected("every message would have the same unique-id: use %u, %f or %g");
    }
    return pieces_;
}

void Compiler::add_literal(char c) {
    if (pieces_.empty() || pieces_.back().variable != Variable::literal) pieces_.emplace_back();
    pieces_.back().literal += c;
}

// After '%': [<offset>.]<width><modifiers><variable>, or another '%'.
bool Compiler::compile_percent() {
    if (rest_.starts_with('%')) {
        rest_.remove_prefix(1);
        add_literal('%');
        return true;
    }
    Piece piece;
    std::vector<Step> modifiers;
    if (!read_widths(piece) || !read_modifiers(modifiers) || !read_variable(piece)) return false;
    // Modifiers work on the value, widths on what they made of it; filters in braces come last.
    piece.steps.insert(piece.steps.begin(), modifiers.begin(), modifiers.end());
    if (!check_numbers(piece)) return false;
    pieces_.push_back(std::move(piece));
    return true;
}

bool Compiler::read_width(std::size_t& width) {
    const std::size_t digits = std::min(rest_.find_first_not_of("0123456789"), rest_.size());
    const auto number = parse_decimal<std::size_t>(rest_.substr(0, digits));
    width = number.value_or(0);
    if (digits > 0 && (!number || width > pop3::unique_id_octets_max)) {
        return refuse("a width above 70 makes no unique-id (RFC 1939 §7)");
    }
    rest_.remove_prefix(digits);
    return true;
}

bool Compiler::read_widths(Piece& piece) {
    const bool from_end = rest_.starts_with('-');
    if (from_end) rest_.remove_prefix(1);
    bool pads = rest_.starts_with('0');
    std::size_t width = 0;
    if (!read_width(width)) return false;
    if (rest_.starts_with('.')) {  // what was read is an offset
        rest_.remove_prefix(1);
        const Step::Kind kind = from_end ? Step::Kind::keep_last : Step::Kind::skip_first;
        if (width > 0) piece.steps.push_back({kind, width});
        pads = rest_.starts_with('0');
        if (rest_.starts_with('-')) return refuse("negative widths are not supported");
        if (!read_width(width)) return false;
    } else if (from_end) {
        return refuse("'-' has a meaning only before an offset (\"%-4.u\")");
    }
    if (width > 0) piece.steps.push_back({pads ? Step::Kind::pad : Step::Kind::keep_first, width});
    return true;
}

bool Compiler::read_modifiers(std::vector<Step>& steps) {
    static constexpr std::string_view unsupported = "EDTHN";
    for (; !rest_.empty(); rest_.remove_prefix(1)) {
        switch (rest_.front()) {
            case 'X': steps.push_back({Step::Kind::hex}); break;
            case 'M': steps.push_back({Step::Kind::md5}); break;
            case 'L': steps.push_back({Step::Kind::lower}); break;
            case 'U': steps.push_back({Step::Kind::upper}); break;
            case 'R': steps.push_back({Step::Kind::reverse}); break;
            default:
                if (!unsupported.contains(rest_.front())) return true;
                return refuse("the modifier " + quoted(rest_.substr(0, 1)) + " is not supported");
        }
    }
    return true;
}

bool Compiler::read_variable(Piece& piece) {
    if (rest_.empty()) return refuse("'%' at the end: a variable must follow, '%%' is a '%'");
    if (rest_.starts_with('{')) return read_braces(piece);
    const char letter = rest_.front();
    const auto* known = std::ranges::find(variable_names, letter, &VariableName::letter);
    if (known == std::end(variable_names)) return refuse(why_unknown(letter));
    piece.variable = known->variable;
    rest_.remove_prefix(1);
    return true;
}

// "{<variable> | <filter> | ...}"
bool Compiler::read_braces(Piece& piece) {
    const std::size_t end = rest_.find('}');
    if (end == std::string_view::npos) return refuse("'{' without '}'");
    std::string_view filters = rest_.substr(1, end - 1);
    rest_.remove_prefix(end + 1);
    const std::string_view name = trimmed(take_field(filters, '|'));
    const auto* known = std::ranges::find(variable_names, name, &VariableName::name);
    if (known == std::end(variable_names)) {
        return refuse("the variable " + quoted(name) +
                      " is unknown: use uid, uidvalidity, filename or guid");
    }
    piece.variable = known->variable;
    while (!filters.empty()) {
        if (!read_filter(trimmed(take_field(filters, '|')), piece)) return false;
    }
    return true;
}

bool Compiler::read_filter(std::string_view filter, Piece& piece) {
    std::string_view arguments = filter;
    const std::string_view name = trimmed(take_field(arguments, '('));
    const bool after_md5 = !piece.steps.empty() && piece.steps.back().kind == Step::Kind::md5;
    const bool has_arguments = name.size() != filter.size();
    if (name == "hex" && has_arguments && !after_md5) {
        const auto width = parse_decimal<std::size_t>(trimmed(take_field(arguments, ')')));
        if (!width || *width == 0 || *width > pop3::unique_id_octets_max || !arguments.empty()) {
            return refuse("the width in " + quoted(filter) + " is not a number from 1 to 70");
        }
        piece.steps.insert(
            piece.steps.end(),
            {{Step::Kind::hex}, {Step::Kind::pad, *width}, {Step::Kind::keep_last, *width}});
        return true;
    }
    if (has_arguments) return refuse("the filter " + quoted(filter) + " is not supported");
    if ((name == "hex" || name == "hexlify") && after_md5) return true;  // md5 is kept in hex
    if (after_md5) return refuse("md5 must be followed by hex, not by " + quoted(filter));
    const auto* known = std::ranges::find(filter_names, name, &FilterName::name);
    if (known == std::end(filter_names)) {
        return refuse("the filter " + quoted(filter) + " is not supported");
    }
    piece.steps.push_back({known->kind});
    return true;
}

// Hex is of a number; what may precede it leaves digits digits.
bool Compiler::check_numbers(const Piece& piece) {
    bool is_decimal = is_number(piece.variable);
    for (const Step& step : piece.steps) {
        const bool is_hex = step.kind == Step::Kind::hex;
        if (is_hex && !is_decimal) return refuse("hex of something that is not a number");
        is_decimal &= step.kind == Step::Kind::lower || step.kind == Step::Kind::upper ||
                      step.kind == Step::Kind::reverse;
    }
    return true;
}

std::string value_of(const Piece& piece, const UidlValues& values) {
    switch (piece.variable) {
        case Variable::literal: return piece.literal;
        case Variable::uid: return std::to_string(values.uid);
        case Variable::uidvalidity: return std::to_string(values.uidvalidity);
        case Variable::filename: return std::string(values.base);
        case Variable::guid: return std::string(values.guid.empty() ? values.base : values.guid);
    }
    return {};
}

std::string hex_number(std::string_view decimal) {
    const auto number = parse_decimal<std::uint64_t>(decimal);
    ASSERT(number.has_value());
    std::array<char, 16> digits;
    const auto written = std::to_chars(digits.data(), digits.data() + digits.size(), *number, 16);
    return std::string(digits.data(), written.ptr);
}

std::string md5_hex(std::string_view text) {
    std::array<std::uint8_t, MD5_DIGEST_LENGTH> hash;
    MD5_CTX context;
    MD5Init(&context);
    MD5Update(&context, reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
    MD5Final(hash.data(), &context);
    return hex_of(hash, hash.size());
}

// ASCII only, whatever the locale.
char to_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
char to_upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }

void apply(const Step& step, std::string& value) {
    const std::size_t missing = value.size() < step.count ? step.count - value.size() : 0;
    const std::size_t beyond = value.size() > step.count ? value.size() - step.count : 0;
    switch (step.kind) {
        case Step::Kind::hex: value = hex_number(value); break;
        case Step::Kind::md5: value = md5_hex(value); break;
        case Step::Kind::lower: std::ranges::transform(value, value.begin(), to_lower); break;
        case Step::Kind::upper: std::ranges::transform(value, value.begin(), to_upper); break;
        case Step::Kind::reverse: std::ranges::reverse(value); break;
        case Step::Kind::skip_first: value.erase(0, step.count); break;
        case Step::Kind::keep_first: value.resize(value.size() - beyond); break;
        case Step::Kind::keep_last: value.erase(0, beyond); break;
        case Step::Kind::pad: value.insert(0, missing, '0'); break;
    }
}

}  // namespace

UidlFormat::UidlFormat() : UidlFormat(*compile("%08Xu%08Xv")) {}

UidlFormat::UidlFormat(std::string_view text, std::vector<Piece> pieces)
    : text_(text), pieces_(std::move(pieces)) {
    for (const Piece& piece : pieces_) {
        needs_uid_ |= piece.variable == Variable::uid;
        needs_uidvalidity_ |= piece.variable == Variable::uidvalidity;
    }
}

std::expected<UidlFormat, std::string> UidlFormat::compile(std::string_view format) {
    std::expected<std::vector<Piece>, std::string> pieces = Compiler(format).compile();
    if (!pieces) return std::unexpected(std::move(pieces.error()));
    return UidlFormat(format, std::move(*pieces));
}

std::string UidlFormat::expand(const UidlValues& values) const {
    std::string id;
    for (const Piece& piece : pieces_) {
        std::string value = value_of(piece, values);
        for (const Step& step : piece.steps) apply(step, value);
        id += value;
    }
    return id;
}

}  // namespace restante
