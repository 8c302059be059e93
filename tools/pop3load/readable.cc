#include "readable.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <span>

namespace pop3load {
namespace {

struct Unit {
    double size;
    std::string_view name;
};

/// Three digits, no more after the point than they need: 1.20, 31.2, 812.
std::string three_digits(double value) {
    if (value < 9.995) return fmt::format("{:.2f}", value);
    if (value < 99.95) return fmt::format("{:.1f}", value);
    return fmt::format("{:.0f}", value);
}

/// In the largest unit of which it is at least (nearly) one; whole in the smallest.
std::string scaled(double value, std::span<const Unit> units) {
    for (const Unit& unit : units.first(units.size() - 1)) {
        if (value >= 0.9995 * unit.size)
            return fmt::format("{} {}", three_digits(value / unit.size), unit.name);
    }
    return fmt::format("{:.0f} {}", value / units.back().size, units.back().name);
}

bool is_continuation(char octet) { return (static_cast<unsigned char>(octet) & 0xC0) == 0x80; }

/// False for what would make an overlong form, a surrogate, or more than U+10FFFF (RFC 3629 §4).
bool is_second_octet(unsigned char first, unsigned char second) {
    switch (first) {
        case 0xE0: return second >= 0xA0;
        case 0xED: return second <= 0x9F;
        case 0xF0: return second >= 0x90;
        case 0xF4: return second <= 0x8F;
        default: return true;
    }
}

/// C0 and DEL, or C1 (U+0080 to U+009F: C2 80 to C2 9F).
bool is_control(std::string_view character) {
    const auto first = static_cast<unsigned char>(character[0]);
    if (character.size() == 1) return first < 0x20 || first == 0x7F;
    return first == 0xC2 && static_cast<unsigned char>(character[1]) < 0xA0;
}

}  // namespace

std::string duration_text(double nanoseconds) {
    static constexpr std::array units = {Unit{1e9, "s"}, Unit{1e6, "ms"}, Unit{1e3, "us"},
                                         Unit{1, "ns"}};
    return scaled(nanoseconds, units);
}

std::string count_text(std::uint64_t count) {
    std::string text = fmt::format("{}", count);
    for (std::size_t end = text.size(); end > 3; end -= 3) text.insert(end - 3, 1, ',');
    return text;
}

std::string octets_text(double octets) {
    static constexpr std::array units = {Unit{0x1p40, "TiB"}, Unit{0x1p30, "GiB"},
                                         Unit{0x1p20, "MiB"}, Unit{0x1p10, "KiB"},
                                         Unit{1, "octets"}};
    return scaled(octets, units);
}

std::string share_text(double share) {
    if (share == 0) return "0 %";
    const double percent = share * 100;
    return percent < 0.001 ? fmt::format("{:.1e} %", percent) : three_digits(percent) + " %";
}

std::size_t utf8_octets(std::string_view text) {
    if (text.empty()) return 0;
    const auto first = static_cast<unsigned char>(text[0]);
    if (first < 0x80) return 1;
    if (first < 0xC2 || first > 0xF4) return 0;
    const std::size_t octets = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    if (text.size() < octets) return 0;
    for (std::size_t i = 1; i < octets; ++i)
        if (!is_continuation(text[i])) return 0;
    return is_second_octet(first, static_cast<unsigned char>(text[1])) ? octets : 0;
}

std::string printable(std::string_view text) {
    std::string shown;
    while (!text.empty()) {
        const std::size_t octets = utf8_octets(text);
        const std::string_view character = text.substr(0, octets == 0 ? 1 : octets);
        if (octets == 0 || is_control(character)) {
            for (const char octet : character)
                shown += fmt::format("\\x{:02x}", static_cast<unsigned char>(octet));
        } else {
            shown += character;
        }
        text.remove_prefix(character.size());
    }
    return shown;
}

}  // namespace pop3load
