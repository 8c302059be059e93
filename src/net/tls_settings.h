#pragma once
/// What TLS is to be like: plain data, all files by path.

#include <cstdint>
#include <string>
#include <vector>

namespace restante {

/// A certificate with its key.
struct TlsPair {
    std::string certificate;  ///< PEM: the server's, then the intermediate ones up to the root
    std::string key;          ///< PEM, not encrypted
    std::string ocsp;         ///< DER OCSP response to staple (RFC 6066 §8); "" = none
};

/// What clients that ask for this name get (SNI, RFC 6066 §3).
struct TlsName {
    std::string name;            ///< "pop.example.net"; "*.example.net" stands for one label
    std::vector<TlsPair> pairs;  ///< one a kind of key (RSA, ECDSA, Ed25519), one at least
};

enum class TlsVersion : std::uint8_t { tls_1_2, tls_1_3 };

enum class ClientCertificates : std::uint8_t {
    none,     ///< not asked for
    ask,      ///< a connection without, or with one that is not valid, goes on without a name
    require,  ///< it ends in the handshake
};

struct TlsSettings {
    std::vector<TlsPair> pairs;  ///< for all other clients; one a kind of key, one at least
    std::vector<TlsName> names;
    TlsVersion min_version = TlsVersion::tls_1_2;
    /// 1 to 16 keys of 80 octets (16 name, 32 HMAC-SHA256, 32 AES-256), as nginx reads them: the
    /// first makes tickets, all open them. Machines with the same file resume each other's
    /// sessions. "" = keys of this process's own, replaced every few hours.
    std::string ticket_keys;
    ClientCertificates client_certificates = ClientCertificates::none;
    std::string client_ca;  ///< PEM: who issues them; needed unless none are asked for
};

}  // namespace restante
