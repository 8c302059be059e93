#include "auth/throttle.h"

#include <netinet/in.h>
#include <sodium.h>
#include <sys/random.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <string>
#include <utility>

#include "base/assert.h"

namespace restante {
namespace {

constexpr std::size_t ipv6_network_octets = 8;  // a /64
/// Doublings beyond it would overflow; any delay_max is reached before.
constexpr std::uint32_t doublings_max = 20;

/// What of an address counts: 4 octets of IPv4, 8 of IPv6.
std::string_view network_of(const SocketAddress& address) {
    if (address.family() == AF_INET) {
        const auto& ipv4 = *reinterpret_cast<const sockaddr_in*>(address.raw());
        return {reinterpret_cast<const char*>(&ipv4.sin_addr), sizeof ipv4.sin_addr};
    }
    const auto& ipv6 = *reinterpret_cast<const sockaddr_in6*>(address.raw());
    const auto* octets = reinterpret_cast<const char*>(&ipv6.sin6_addr);
    if (IN6_IS_ADDR_V4MAPPED(&ipv6.sin6_addr)) return {octets + 12, 4};
    return {octets, ipv6_network_octets};
}

std::uint64_t keyed_hash(const std::array<unsigned char, 16>& secret, std::string_view text) {
    static_assert(crypto_shorthash_KEYBYTES == 16);
    static_assert(crypto_shorthash_BYTES == sizeof(std::uint64_t));
    unsigned char hash[crypto_shorthash_BYTES];
    crypto_shorthash(hash, reinterpret_cast<const unsigned char*>(text.data()), text.size(),
                     secret.data());
    std::uint64_t number;
    std::memcpy(&number, hash, sizeof number);
    return number;
}

}  // namespace

Throttle::Throttle(ThrottleSettings settings)
    : settings_(std::move(settings)),
      address_failures_({address_failure_memory, address_failures_kept_max, true}),
      user_failures_({user_failure_memory, user_failures_kept_max, true}),
      address_tokens_({address_token_interval, address_tokens + address_tokens_owed_max, false}) {
    // Cannot fail: waits for entropy at boot, and 16 octets are never cut short.
    ASSERT(::getrandom(secret_.data(), secret_.size(), 0) == static_cast<ssize_t>(secret_.size()));
}

Throttle::AddressKey Throttle::key_of(const SocketAddress& address) const {
    return AddressKey{keyed_hash(secret_, network_of(address))};
}

Throttle::UserKey Throttle::key_of(std::string_view given) const {
    const std::optional<std::string> name = canonical_user_name(given, settings_.names);
    return UserKey{keyed_hash(secret_, name ? *name : std::string())};
}

bool Throttle::take_token(AddressKey address, Instant now) {
    return address_tokens_.add(std::to_underlying(address), now) < address_tokens;
}

void Throttle::give_token_back(AddressKey address, Instant now) {
    address_tokens_.take_back(std::to_underlying(address), now);
}

Duration Throttle::note_failure(AddressKey address, UserKey user, std::uint32_t failed_before,
                                Instant now) {
    const std::uint32_t of_address = address_failures_.add(std::to_underlying(address), now);
    const std::uint32_t of_user = user_failures_.add(std::to_underlying(user), now);
    const std::uint32_t doublings =
        std::max({of_address / address_failures_a_doubling, of_user, failed_before});
    const Duration most = std::max(settings_.failed_delay, settings_.failed_delay_max);
    return std::min(settings_.failed_delay * (1 << std::min(doublings, doublings_max)), most);
}

}  // namespace restante
