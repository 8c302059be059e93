#include "net/tls_ticket_keys.h"

#include <openssl/rand.h>
#include <string.h>

#include <algorithm>
#include <cstring>
#include <span>

#include "base/assert.h"

namespace restante {
namespace {

/// Own keys kept: the one that makes tickets and those whose tickets may still be good.
constexpr std::size_t own_keys_max = 1 + tls_ticket_lifetime / tls_ticket_key_period;
static_assert(tls_ticket_lifetime % tls_ticket_key_period == std::chrono::seconds(0));

TlsTicketKey random_key() {
    TlsTicketKey key;
    const int made = RAND_priv_bytes(reinterpret_cast<unsigned char*>(&key), sizeof key);
    ASSERT(made == 1);  // no randomness: nothing here is safe
    return key;
}

std::shared_ptr<const TlsTicketKeyRing> ring_of(TlsTicketKey newest,
                                                std::span<const TlsTicketKey> older) {
    std::vector<TlsTicketKey> keys;
    keys.reserve(1 + older.size());  // a vector that grows would leave copies behind
    keys.push_back(newest);
    keys.insert(keys.end(), older.begin(), older.end());
    explicit_bzero(&newest, sizeof newest);
    return std::make_shared<const TlsTicketKeyRing>(std::move(keys));
}

}  // namespace

TlsTicketKeyRing::~TlsTicketKeyRing() {
    explicit_bzero(keys_.data(), keys_.size() * sizeof(TlsTicketKey));
}

const TlsTicketKey* TlsTicketKeyRing::find(const unsigned char* name) const {
    const auto key = std::find_if(keys_.begin(), keys_.end(), [&](const TlsTicketKey& candidate) {
        return std::memcmp(candidate.name.data(), name, candidate.name.size()) == 0;
    });
    return key == keys_.end() ? nullptr : &*key;
}

TlsTicketKeys::TlsTicketKeys(WallTime now) : ring_(ring_of(random_key(), {})), newest_since_(now) {}

bool TlsTicketKeys::rotate(WallTime now) {
    const std::chrono::nanoseconds age(now.nanoseconds - newest_since_.nanoseconds);
    if (age >= std::chrono::nanoseconds(0) && age < tls_ticket_key_period) return false;
    const std::shared_ptr<const TlsTicketKeyRing> ring = ring_.load();
    std::span<const TlsTicketKey> older = ring->keys();
    if (age >= tls_ticket_key_period + tls_ticket_lifetime) older = {};
    ring_.store(ring_of(random_key(), older.first(std::min(older.size(), own_keys_max - 1))));
    newest_since_ = now;
    return true;
}

std::expected<void, std::string> TlsTicketKeys::adopt(std::string_view octets,
                                                      const std::string& path) {
    const std::size_t count = octets.size() / tls_ticket_key_octets;
    if (octets.size() % tls_ticket_key_octets != 0 || count == 0 || count > tls_ticket_keys_max) {
        return std::unexpected("TLS ticket keys " + path + ": the file has " +
                               std::to_string(octets.size()) +
                               " octets, not 80 for each of 1 to 16 keys; make one with: "
                               "openssl rand -out FILE 80");
    }
    std::vector<TlsTicketKey> keys(count);
    std::memcpy(keys.data(), octets.data(), octets.size());
    ring_.store(std::make_shared<const TlsTicketKeyRing>(std::move(keys)));
    return {};
}

}  // namespace restante
