#pragma once
/// When the connections of a listener become TLS.

#include <cstdint>

namespace restante {

/// In the order of [listener] tls.
enum class TlsMode : std::uint8_t {
    none,
    starttls,  ///< when the client asks for it: STLS (RFC 2595)
    required,  ///< from the first octet (RFC 8314)
};

}  // namespace restante
