#include "pop3/types.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <system_error>

#include "pop3/limits.h"

namespace pop3 {

namespace {

/// All of `digits` as a decimal number. `saturate`: a number too large is the largest there is.
template <class Number>
std::optional<Number> parse_decimal(std::string_view digits, bool saturate) {
    Number number = 0;
    const char* after = digits.data() + digits.size();
    const auto [stopped, failure] = std::from_chars(digits.data(), after, number);
    if (stopped != after) return std::nullopt;
    if (failure == std::errc()) return number;
    if (failure == std::errc::result_out_of_range && saturate) {
        return std::numeric_limits<Number>::max();
    }
    return std::nullopt;
}

}  // namespace

std::optional<MessageNumber> MessageNumber::parse(std::string_view digits) {
    const std::optional<std::uint32_t> value = parse_decimal<std::uint32_t>(digits, false);
    if (!value || *value == 0) return std::nullopt;
    return MessageNumber(*value);
}

std::optional<BodyLines> BodyLines::parse(std::string_view digits) {
    const std::optional<std::uint64_t> count = parse_decimal<std::uint64_t>(digits, true);
    if (!count) return std::nullopt;
    return first(*count);
}

bool is_unique_id(std::string_view text) {
    const auto is_visible = [](char octet) { return octet >= 0x21 && octet <= 0x7E; };
    return !text.empty() && text.size() <= unique_id_octets_max &&
           std::ranges::all_of(text, is_visible);
}

}  // namespace pop3
