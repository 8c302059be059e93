#include "base/base64.h"

#include <array>
#include <cstdint>

namespace restante {
namespace {

constexpr std::string_view alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static_assert(alphabet.size() == 64);
constexpr std::uint8_t not_in_alphabet = 0xFF;

constexpr std::array<std::uint8_t, 256> values = [] {
    std::array<std::uint8_t, 256> table{};
    table.fill(not_in_alphabet);
    for (std::size_t i = 0; i < alphabet.size(); ++i) {
        table[static_cast<unsigned char>(alphabet[i])] = static_cast<std::uint8_t>(i);
    }
    return table;
}();

std::uint8_t value_of(char octet) { return values[static_cast<unsigned char>(octet)]; }

/// How many of the last four characters are padding: 0, 1 or 2.
std::size_t padding_of(std::string_view text) {
    if (!text.ends_with('=')) return 0;
    return text[text.size() - 2] == '=' ? 2 : 1;
}

}  // namespace

std::string base64_encode(std::string_view octets) {
    std::string text;
    text.reserve((octets.size() + 2) / 3 * 4);
    for (std::size_t at = 0; at < octets.size(); at += 3) {
        const std::string_view piece = octets.substr(at, 3);
        std::uint32_t bits = 0;
        for (std::size_t i = 0; i < 3; ++i) {
            bits = bits << 8 | (i < piece.size() ? static_cast<unsigned char>(piece[i]) : 0U);
        }
        for (std::size_t i = 0; i < 4; ++i) {
            text += i <= piece.size() ? alphabet[bits >> (18 - 6 * i) & 63U] : '=';
        }
    }
    return text;
}

std::optional<std::string> base64_decode(std::string_view text) {
    if (text.size() % 4 != 0) return std::nullopt;
    if (text.empty()) return std::string();
    const std::string_view characters = text.substr(0, text.size() - padding_of(text));
    for (const char octet : characters) {
        if (value_of(octet) == not_in_alphabet) return std::nullopt;
    }
    const std::uint8_t unused_bits = characters.size() % 4 == 2   ? 0x0F
                                     : characters.size() % 4 == 3 ? 0x03
                                                                  : 0;
    if ((value_of(characters.back()) & unused_bits) != 0) return std::nullopt;

    std::string octets;
    octets.reserve(characters.size() * 3 / 4);
    std::uint32_t bits = 0;
    std::size_t held = 0;  // bits not yet given out
    for (const char octet : characters) {
        bits = bits << 6 | value_of(octet);
        held += 6;
        if (held < 8) continue;
        held -= 8;
        octets += static_cast<char>(bits >> held & 0xFFU);
    }
    return octets;
}

}  // namespace restante
