#pragma once
/// Numbers as text.

#include <charconv>
#include <concepts>
#include <cstddef>
#include <optional>
#include <string_view>
#include <system_error>

namespace restante {

/// The number that `text` begins with, which goes from it: decimal digits, no sign. Nothing, and
/// `text` stays, where it begins with none or with one too large.
template <std::unsigned_integral Number>
std::optional<Number> take_decimal(std::string_view& text) {
    Number number = 0;
    const auto [after, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{}) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(after - text.data()));
    return number;
}

/// The number that all of `text` is.
template <std::unsigned_integral Number>
std::optional<Number> parse_decimal(std::string_view text) {
    const std::optional<Number> number = take_decimal<Number>(text);
    return text.empty() ? number : std::nullopt;
}

}  // namespace restante
