#include "auth/network_list.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <string>

#include "base/decimal.h"

namespace restante {
namespace {

constexpr std::uint8_t ipv4_prefix_bits = 96;  // of ::ffff:0:0/96
constexpr std::uint8_t address_bits = 128;

using Octets = std::array<std::uint8_t, 16>;

Octets mapped(const void* ipv4) {
    Octets octets{};
    octets[10] = octets[11] = 0xFF;
    std::memcpy(&octets[12], ipv4, 4);
    return octets;
}

std::optional<Octets> octets_of(const SocketAddress& address) {
    if (address.family() == AF_INET) {
        return mapped(&reinterpret_cast<const sockaddr_in*>(address.raw())->sin_addr);
    }
    if (address.family() != AF_INET6) return std::nullopt;
    Octets octets;
    std::memcpy(octets.data(), &reinterpret_cast<const sockaddr_in6*>(address.raw())->sin6_addr,
                octets.size());
    return octets;
}

struct Host {
    Octets octets;
    std::uint8_t before_bits;  ///< that an address as written has before it
};

std::optional<Host> read_host(const std::string& text) {
    in_addr ipv4;
    if (::inet_pton(AF_INET, text.c_str(), &ipv4) == 1) {
        return Host{mapped(&ipv4), ipv4_prefix_bits};
    }
    Host host{{}, 0};
    if (::inet_pton(AF_INET6, text.c_str(), host.octets.data()) != 1) return std::nullopt;
    return host;
}

bool same_prefix(const Octets& left, const Octets& right, std::uint8_t bits) {
    const std::size_t whole = bits / 8;
    if (!std::equal(left.begin(), left.begin() + whole, right.begin())) return false;
    const unsigned rest = bits % 8;
    return rest == 0 || (left[whole] ^ right[whole]) >> (8 - rest) == 0;
}

}  // namespace

std::expected<NetworkList, const char*> NetworkList::parse(std::string_view text) {
    NetworkList list;
    for (bool is_last = false; !is_last;) {
        const std::size_t comma = text.find(',');
        is_last = comma == std::string_view::npos;
        const std::string_view item = text.substr(0, comma);
        text.remove_prefix(is_last ? text.size() : comma + 1);
        if (item == "local") continue;
        const std::size_t slash = item.find('/');
        const std::optional<Host> host = read_host(std::string(item.substr(0, slash)));
        if (!host) return std::unexpected("allow_nets has something that is no address or network");
        std::uint8_t bits = address_bits;
        if (slash != std::string_view::npos) {
            const auto given = parse_decimal<std::uint8_t>(item.substr(slash + 1));
            if (!given || *given > address_bits - host->before_bits) {
                return std::unexpected("allow_nets has a prefix length that is none");
            }
            bits = static_cast<std::uint8_t>(*given + host->before_bits);
        }
        if (list.networks_.size() == networks_max) {
            return std::unexpected("allow_nets has more than 256 networks");
        }
        list.networks_.push_back({host->octets, bits});
    }
    return list;
}

bool NetworkList::contains(const SocketAddress& address) const {
    const std::optional<Octets> octets = octets_of(address);
    if (!octets) return false;
    return std::ranges::any_of(networks_, [&octets](const Network& network) {
        return same_prefix(*octets, network.address, network.prefix_bits);
    });
}

}  // namespace restante
