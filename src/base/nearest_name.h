#pragma once
/// "Did you mean ...?" for a mistyped key, value, command or option.

#include <span>
#include <string_view>

namespace restante {

/// The candidate that the fewest edits (insert, remove, replace, swap two neighbours) lead to; the
/// first of several. "" when none is near enough to be meant: more than one edit and a fourth of
/// the length, or `typed` longer than 64 octets. Letter case is not an edit.
std::string_view nearest_name(std::string_view typed, std::span<const std::string_view> candidates);

}  // namespace restante
