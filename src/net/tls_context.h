#pragma once
/// What all TLS connections have in common: certificates, ciphers, rules. Made from files as a
/// whole, never changed; a connection keeps the one it began with.
///
/// TLS 1.2 and 1.3; ciphers and groups of Mozilla's "intermediate" (version 5.7), among which the
/// client chooses, as it says; ALPN `pop3`, or none; no renegotiation, compression or early data;
/// resumption by tickets only.

#include <chrono>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "net/tls_settings.h"
#include "net/tls_ticket_keys.h"

struct ssl_st;

namespace restante {

/// A certificate that ends sooner is warned of.
inline constexpr std::chrono::seconds tls_expiry_warning = std::chrono::hours(24 * 7);
/// Longest chain of certificates that a client may send, in octets.
inline constexpr std::size_t tls_client_chain_octets_max = 32 * 1024;

class TlsContext {
public:
    struct Made {
        std::shared_ptr<const TlsContext> context;
        std::vector<std::string> warnings;  ///< a sentence each: expired, staple not usable, ...
    };
    /// Reads all files of `settings`, so not on a reactor. The error is a sentence: file, cause and
    /// cure. `tickets` may change later (rotation).
    static std::expected<Made, std::string> make(const TlsSettings& settings,
                                                 std::shared_ptr<const TlsTicketKeys> tickets,
                                                 WallTime now);
    TlsContext(const TlsContext&) = delete;
    TlsContext& operator=(const TlsContext&) = delete;
    ~TlsContext();

    ClientCertificates client_certificates() const;
    /// When the first of the stapled responses ends, which is not sent from then on; latest
    /// possible where there is none.
    WallTime staples_end() const;

    /// For TlsEngine: the server side of one connection; the caller frees it and keeps this context
    /// as long. nullptr: out of memory.
    ssl_st* new_connection() const;

private:
    struct Parts;  // what OpenSSL calls back with
    explicit TlsContext(std::unique_ptr<Parts> parts);
    std::unique_ptr<Parts> parts_;
};

}  // namespace restante
