#pragma once
/// Keys of session tickets (RFC 5077, RFC 8446 §4.6.1), shared by all reactors and kept when the
/// certificates change. Who has one can read the TLS 1.2 sessions of its time: they are replaced
/// often, and wiped.

#include <array>
#include <atomic>
#include <chrono>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"

namespace restante {

/// How long a ticket is good for, at most; and how long own keys make tickets. Keys are kept for
/// two periods more, so that each ticket finds its key.
inline constexpr std::chrono::seconds tls_ticket_lifetime = std::chrono::hours(8);
inline constexpr std::chrono::seconds tls_ticket_key_period = std::chrono::hours(4);
inline constexpr std::size_t tls_ticket_key_octets = 80;
inline constexpr std::size_t tls_ticket_keys_max = 16;

struct TlsTicketKey {
    std::array<unsigned char, 16> name;
    std::array<unsigned char, 32> mac;     ///< HMAC-SHA256
    std::array<unsigned char, 32> cipher;  ///< AES-256-CBC
};
static_assert(sizeof(TlsTicketKey) == tls_ticket_key_octets);

/// The keys of one time; never changed. The first makes tickets. Wiped at its end.
class TlsTicketKeyRing {
public:
    explicit TlsTicketKeyRing(std::vector<TlsTicketKey>&& keys) : keys_(std::move(keys)) {}
    TlsTicketKeyRing(const TlsTicketKeyRing&) = delete;
    TlsTicketKeyRing& operator=(const TlsTicketKeyRing&) = delete;
    ~TlsTicketKeyRing();

    const std::vector<TlsTicketKey>& keys() const { return keys_; }
    const TlsTicketKey& newest() const { return keys_.front(); }
    /// nullptr: the ticket is somebody else's, or too old.
    const TlsTicketKey* find(const unsigned char* name) const;

private:
    std::vector<TlsTicketKey> keys_;
};

/// current() from any thread; the others from one at a time.
class TlsTicketKeys {
public:
    explicit TlsTicketKeys(WallTime now);  ///< one random key

    std::shared_ptr<const TlsTicketKeyRing> current() const { return ring_.load(); }
    /// A new random key where the newest is older than a period; keys of no use are forgotten.
    /// False: nothing was due. Not after adopt().
    bool rotate(WallTime now);
    /// Takes the place of all keys: `octets` of the file `path`. The error is a sentence.
    std::expected<void, std::string> adopt(std::string_view octets, const std::string& path);

private:
    std::atomic<std::shared_ptr<const TlsTicketKeyRing>> ring_;
    WallTime newest_since_;
};

}  // namespace restante
