#pragma once
/// Base64 (RFC 4648 §4), strict: what is not exactly an encoding is refused, not repaired.

#include <optional>
#include <string>
#include <string_view>

namespace restante {

/// With padding, without line breaks.
std::string base64_encode(std::string_view octets);

/// Empty where the length is no multiple of four, an octet is not of the alphabet, padding stands
/// anywhere but at the end, or unused bits are set (RFC 4648 §3.5). What it returns may be a
/// secret: the caller wipes it (base/wipe.h); no other copy is left behind.
std::optional<std::string> base64_decode(std::string_view text);

}  // namespace restante
