#pragma once
/// A certificate that vouches for itself: for `restante demo` and for trying things out.

#include <expected>
#include <string>

namespace restante {

/// Both PEM.
struct SelfSigned {
    std::string certificate;
    std::string key;  ///< ECDSA, P-256; not encrypted
};

/// For "localhost", 127.0.0.1 and ::1, for 30 days from now. The error is OpenSSL's.
std::expected<SelfSigned, std::string> make_self_signed();

}  // namespace restante
