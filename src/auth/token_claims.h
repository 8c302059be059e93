#pragma once
/// What a token says of itself, as JSON: the payload of a JWT (RFC 7519 §4.1), or the answer of an
/// introspection end point (RFC 7662 §2.2).

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

#include "auth/token_verifier.h"
#include "base/clock.h"

namespace restante {

/// Longest text that is read as JSON, and how deep its arrays and objects may be.
inline constexpr std::size_t token_json_octets_max = 64 * 1024;
inline constexpr std::size_t token_json_depth_max = 16;

/// What a good token must say.
struct TokenExpectations {
    std::string issuer;    ///< `iss`; "" = anybody
    std::string audience;  ///< in `aud`; "" = anybody
    std::string scope;     ///< all in `scope`, separated by spaces; "" = none
    std::string user_claim = "sub";
    /// How wrong clocks may be, of which one is the issuer's.
    std::chrono::seconds leeway{60};
};

enum class TokenSource : std::uint8_t {
    jwt,            ///< `exp` must be there
    introspection,  ///< `active` must be there, and true
};

/// `json` is trusted to come from the token's issuer, but not to be well-formed.
TokenUser user_of_claims(std::string_view json, TokenSource source,
                         const TokenExpectations& expected, WallTime now);

}  // namespace restante
