#pragma once
/// Case of ASCII letters, whatever the locale.

#include <algorithm>
#include <string>
#include <string_view>

namespace restante {

constexpr char lower_letter(char octet) {
    return octet >= 'A' && octet <= 'Z' ? static_cast<char>(octet - 'A' + 'a') : octet;
}

inline std::string lower_case(std::string_view text) {
    std::string lowered(text);
    std::ranges::transform(lowered, lowered.begin(), lower_letter);
    return lowered;
}

}  // namespace restante
