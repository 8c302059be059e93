#pragma once
/// Certificates, files and connections for the tests of TLS: made anew in each run.

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "net/tls_certificates.h"
#include "net/tls_context.h"
#include "net/tls_engine.h"
#include "net/tls_handles.h"
#include "sim/tls_client.h"

namespace restante {

enum class KeyKind : std::uint8_t { ecdsa, rsa };

/// A certificate to be made.
struct CertificateWish {
    std::string common_name;
    std::string alternative_names = {};  ///< "DNS:pop.example.net,email:a@example.net"; "" = none
    KeyKind kind = KeyKind::ecdsa;
    int first_day = -1;  ///< from today
    int last_day = 90;
    bool is_issuer = false;
};

struct Issued {
    CertificateHandle certificate;
    KeyHandle key;
    std::string certificate_pem() const;
    std::string key_pem() const;
};

/// Signed by `issuer`, or by itself.
Issued make_certificate(const CertificateWish& wish, const Issued* issuer);

/// What an OCSP response for `subject` is to say.
struct StapleWish {
    bool is_good = true;
    int first_day = -1;
    int last_day = 7;
    const Issued* signer = nullptr;  ///< nullptr: the issuer
};
/// DER, about a certificate of `issuer`'s.
std::string make_staple(const Issued& subject, const Issued& issuer, const StapleWish& wish);

WallTime wall_now();
WallTime days_from_now(int days);

/// A folder of its own, an issuer, and a default pair of each kind in it ("ecdsa.test",
/// "rsa.test").
class TlsWorld {
public:
    TlsWorld();
    TlsWorld(const TlsWorld&) = delete;
    TlsWorld& operator=(const TlsWorld&) = delete;
    ~TlsWorld();

    std::string path(std::string_view name) const { return (folder_ / name).string(); }
    /// Replaces the file; returns its path.
    std::string write(std::string_view name, std::string_view octets) const;
    /// Makes a pair, with the issuer's certificate after it, and writes its files as `name`.
    TlsPair pair(const std::string& name, const CertificateWish& wish) const;
    TlsPair write_pair(const std::string& name, const Issued& issued) const;

    const Issued& issuer() const { return issuer_; }
    TlsSettings settings() const { return settings_; }

private:
    std::filesystem::path folder_;
    Issued issuer_;
    TlsSettings settings_;
};

/// Settings that must be good.
std::shared_ptr<const TlsContext> context_of(const TlsSettings& settings);
/// The sentence for settings that must be bad.
std::string refusal_of(const TlsSettings& settings);

/// A server and a client that hear each other.
struct TlsTalk {
    TlsEngine server;
    sim::TlsClient client;
    std::size_t piece = SIZE_MAX;  ///< octets carried at once, both ways
    TlsStatus status = TlsStatus::wants_input;
    std::string received = {};  ///< by the server

    explicit TlsTalk(std::shared_ptr<const TlsContext> context,
                     const sim::TlsClientSettings& settings = {})
        : server(std::move(context)), client(settings) {}

    /// Carries octets until nobody has any more. True: both have finished the handshake.
    bool shake();
    void carry_to_server(std::string_view ciphertext);
    /// What the server has to send goes to the client.
    void carry_to_client();
    /// One turn of the server: handshake() or read() as far as it goes.
    void serve();
    /// The server sends `text`; returns what the client reads.
    std::string say(std::string_view text);
    /// The client sends `text`; returns what the server reads.
    std::string ask(std::string_view text);
};

}  // namespace restante
