#pragma once
/// OCSP responses to staple (RFC 6066 §8, RFC 6960): checked once, when they are read.

#include <expected>
#include <string>
#include <vector>

#include "base/clock.h"
#include "net/tls_pair.h"

namespace restante {

struct Staple {
    std::vector<unsigned char> der;  ///< empty: none
    std::int64_t end = 0;            ///< seconds since 1970: not to be sent from then on
};

/// Reads the response in `path` for `pair`: in time at `now`, about that certificate, good and,
/// where the issuer is in the chain, signed by it or in its name. The error is a sentence.
std::expected<Staple, std::string> load_staple(const std::string& path, const LoadedPair& pair,
                                               WallTime now);

}  // namespace restante
