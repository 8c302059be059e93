#pragma once
/// Networks that somebody may log in from: the extra field `allow_nets`, as Dovecot's.

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <string_view>
#include <vector>

#include "ring/socket_address.h"

namespace restante {

/// Networks in one list.
inline constexpr std::size_t networks_max = 256;

/// IPv4 and IPv6 networks; an IPv4 address mapped into IPv6 is the IPv4 address.
class NetworkList {
public:
    /// "192.0.2.0/24,2001:db8::/32,198.51.100.7": separated by commas, an address alone is a
    /// network of one. Bits after the prefix do not count. `local` (Dovecot: no IP connection)
    /// matches nobody. The error is a literal for an operator.
    static std::expected<NetworkList, const char*> parse(std::string_view text);

    /// False for an address of no family.
    bool contains(const SocketAddress& address) const;

private:
    /// IPv4 as ::ffff:a.b.c.d, so that there is one form.
    using Octets = std::array<std::uint8_t, 16>;
    struct Network {
        Octets address;
        std::uint8_t prefix_bits;
    };
    std::vector<Network> networks_;
};

}  // namespace restante
