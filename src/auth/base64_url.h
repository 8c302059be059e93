#pragma once
/// Base64 with the URL alphabet (RFC 4648 §5), as JOSE writes it: without padding.

#include <optional>
#include <string>
#include <string_view>

namespace restante {

/// As strict as base64_decode().
std::optional<std::string> base64_url_decode(std::string_view text);

}  // namespace restante
