#include "ring/socket_address.h"

#include <arpa/inet.h>

#include <array>
#include <charconv>
#include <cstddef>
#include <cstring>
#include <optional>

#include "base/assert.h"
#include "base/decimal.h"
#include "base/log.h"

namespace restante {
namespace {

/// What stands left and right of the port's colon; the host without its brackets.
struct HostAndPort {
    std::string host;
    std::string_view port;
    bool is_bracketed;
};

std::string quoted(std::string_view text) { return '"' + log_escaped(text) + '"'; }

std::expected<HostAndPort, std::string> split(std::string_view text) {
    if (text.empty()) return std::unexpected("an address is missing: write \"127.0.0.1:110\"");
    if (text.front() == '[') {
        const std::size_t close = text.find(']');
        if (close == std::string_view::npos) {
            return std::unexpected(quoted(text) + " has no ]: write \"[::1]:110\"");
        }
        const std::string_view after = text.substr(close + 1);
        if (!after.starts_with(':')) {
            return std::unexpected(quoted(text) + " has no port: write \"[::1]:110\"");
        }
        return HostAndPort{std::string(text.substr(1, close - 1)), after.substr(1), true};
    }
    const std::size_t colon = text.find(':');
    if (colon == std::string_view::npos) {
        return std::unexpected(quoted(text) + " has no port: write \"127.0.0.1:110\"");
    }
    if (text.find(':', colon + 1) != std::string_view::npos) {
        return std::unexpected(quoted(text) + " is IPv6 without brackets: write \"[::1]:110\"");
    }
    return HostAndPort{std::string(text.substr(0, colon)), text.substr(colon + 1), false};
}

/// inet_pton() reads up to a NUL; `host` is all of the address or none.
bool read_host(int family, const std::string& host, void* target) {
    return host.find('\0') == std::string::npos && inet_pton(family, host.c_str(), target) == 1;
}

const sockaddr_in& as_ipv4(const sockaddr_in6& storage) {
    return reinterpret_cast<const sockaddr_in&>(storage);
}

/// inet_ntop() goes through sprintf; each log line has two.
std::string ipv4_text(const void* address) {
    std::array<unsigned char, 4> octets;
    std::memcpy(octets.data(), address, octets.size());
    std::array<char, INET_ADDRSTRLEN> text;
    char* end = text.data();
    for (const unsigned char octet : octets) {
        if (end != text.data()) *end++ = '.';
        end = std::to_chars(end, text.data() + text.size(), octet).ptr;
    }
    return {text.data(), end};
}

}  // namespace

std::expected<SocketAddress, std::string> SocketAddress::parse(std::string_view text) {
    const std::expected<HostAndPort, std::string> parts = split(text);
    if (!parts) return std::unexpected(parts.error());
    const std::optional<std::uint16_t> port = parse_decimal<std::uint16_t>(parts->port);
    if (!port) {
        return std::unexpected(quoted(text) + " has a bad port: it is a number from 0 to 65535");
    }
    SocketAddress address;
    if (parts->is_bracketed) {
        address.storage_.sin6_family = AF_INET6;
        address.storage_.sin6_port = htons(*port);
        if (!read_host(AF_INET6, parts->host, &address.storage_.sin6_addr)) {
            return std::unexpected(quoted(parts->host) + " is not an IPv6 address");
        }
        return address;
    }
    sockaddr_in ipv4{};
    ipv4.sin_family = AF_INET;
    ipv4.sin_port = htons(*port);
    if (!read_host(AF_INET, parts->host, &ipv4.sin_addr)) {
        return std::unexpected(quoted(parts->host) +
                               " is not an IPv4 address (names are not looked up)");
    }
    std::memcpy(&address.storage_, &ipv4, sizeof ipv4);
    address.octets_ = sizeof ipv4;
    return address;
}

std::uint16_t SocketAddress::port() const {
    static_assert(offsetof(sockaddr_in, sin_port) == offsetof(sockaddr_in6, sin6_port));
    return ntohs(storage_.sin6_port);
}

bool SocketAddress::is_wildcard() const {
    if (family() == AF_INET) return as_ipv4(storage_).sin_addr.s_addr == htonl(INADDR_ANY);
    return family() == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&storage_.sin6_addr);
}

std::string SocketAddress::host() const {
    if (family() == AF_INET) return ipv4_text(&as_ipv4(storage_).sin_addr);
    if (family() != AF_INET6) return "unknown";
    if (IN6_IS_ADDR_V4MAPPED(&storage_.sin6_addr)) {
        return ipv4_text(&storage_.sin6_addr.s6_addr[12]);
    }
    std::array<char, INET6_ADDRSTRLEN> text{};
    const char* written =
        inet_ntop(AF_INET6, &storage_.sin6_addr, text.data(), static_cast<socklen_t>(text.size()));
    ASSERT(written != nullptr);
    return written;
}

std::string SocketAddress::text() const {
    const std::string shown = host();
    const bool is_ipv6 = shown.find(':') != std::string::npos;
    return (is_ipv6 ? '[' + shown + ']' : shown) + ':' + std::to_string(port());
}

}  // namespace restante
