#include "auth/base64_url.h"

#include "base/base64.h"

namespace restante {

std::optional<std::string> base64_url_decode(std::string_view text) {
    if (text.find_first_of("+/=") != std::string_view::npos) return std::nullopt;
    std::string padded(text);
    for (char& octet : padded) {
        if (octet == '-') octet = '+';
        if (octet == '_') octet = '/';
    }
    padded.append((4 - padded.size() % 4) % 4, '=');
    return base64_decode(padded);
}

}  // namespace restante
