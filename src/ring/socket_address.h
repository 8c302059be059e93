#pragma once
/// Who is at the other end.

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace restante {

/// An IPv4 or IPv6 address with its port, as the socket calls take it.
class SocketAddress {
public:
    SocketAddress() = default;  ///< of no family; to be filled in by accept
    /// "127.0.0.1:110", "[::1]:110"; port 0 to 65535. The error is a sentence for an operator.
    static std::expected<SocketAddress, std::string> parse(std::string_view text);

    sockaddr* raw() { return reinterpret_cast<sockaddr*>(&storage_); }
    const sockaddr* raw() const { return reinterpret_cast<const sockaddr*>(&storage_); }
    socklen_t* raw_octets() { return &octets_; }
    socklen_t octets() const { return octets_; }
    int family() const { return storage_.sin6_family; }
    std::uint16_t port() const;
    /// The address is 0.0.0.0 or ::.
    bool is_wildcard() const;
    /// "127.0.0.1" or "::1"; an IPv4 address mapped into IPv6 reads as IPv4.
    std::string host() const;
    /// "127.0.0.1:110", "[::1]:110".
    std::string text() const;

private:
    sockaddr_in6 storage_{};  // large enough for sockaddr_in
    socklen_t octets_ = sizeof(sockaddr_in6);
};

}  // namespace restante
