#include "base/nearest_name.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

namespace restante {
namespace {

constexpr std::size_t name_octets_max = 64;
using Row = std::array<std::size_t, name_octets_max + 1>;

char lowered(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

/// Optimal string alignment distance; both at most name_octets_max.
std::size_t edit_distance(std::string_view from, std::string_view to) {
    Row before_last{};
    Row last{};
    Row current{};
    for (std::size_t j = 0; j <= to.size(); ++j) last[j] = j;
    for (std::size_t i = 1; i <= from.size(); ++i) {
        current[0] = i;
        for (std::size_t j = 1; j <= to.size(); ++j) {
            const bool same = lowered(from[i - 1]) == lowered(to[j - 1]);
            current[j] = std::min({last[j] + 1, current[j - 1] + 1, last[j - 1] + (same ? 0 : 1)});
            const bool swapped = i > 1 && j > 1 && lowered(from[i - 1]) == lowered(to[j - 2]) &&
                                 lowered(from[i - 2]) == lowered(to[j - 1]);
            if (swapped) current[j] = std::min(current[j], before_last[j - 2] + 1);
        }
        before_last = std::exchange(last, current);
    }
    return last[to.size()];
}

}  // namespace

std::string_view nearest_name(std::string_view typed,
                              std::span<const std::string_view> candidates) {
    if (typed.size() > name_octets_max) return {};
    std::string_view nearest;
    std::size_t distance_max = 1 + typed.size() / 4;
    for (const std::string_view candidate : candidates) {
        if (candidate.size() > name_octets_max) continue;
        const std::size_t distance = edit_distance(typed, candidate);
        if (distance < distance_max || (nearest.empty() && distance == distance_max)) {
            nearest = candidate;
            distance_max = distance;
        }
    }
    return nearest;
}

}  // namespace restante
