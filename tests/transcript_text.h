#pragma once
/// The texts inside transcripts: escapes, patterns, messages.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace restante_test {

enum class Escapes : std::uint8_t { none, backslash };

/// `\n \r \t \0 \" \\ \* \xNN` and `\(text*count)`, a repetition; nullopt: another escape.
std::optional<std::string> unescaped(std::string_view text);
/// What stands between the `*`s of a pattern: one piece more than there are of them.
std::optional<std::vector<std::string>> pattern_pieces(std::string_view text, Escapes escapes);

}  // namespace restante_test
