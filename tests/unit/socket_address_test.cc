#include "ring/socket_address.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>

#include <cstring>

using restante::SocketAddress;

namespace {

std::string error_of(std::string_view text) {
    const auto address = SocketAddress::parse(text);
    return address ? "accepted as " + address->text() : address.error();
}

}  // namespace

TEST_CASE("an IPv4 address with its port reads back as it was written") {
    const auto address = SocketAddress::parse("192.0.2.7:110");
    REQUIRE(address);
    CHECK(address->family() == AF_INET);
    CHECK(address->octets() == sizeof(sockaddr_in));
    CHECK(address->port() == 110);
    CHECK(address->host() == "192.0.2.7");
    CHECK(address->text() == "192.0.2.7:110");
    CHECK_FALSE(address->is_wildcard());
    const auto* raw = reinterpret_cast<const sockaddr_in*>(address->raw());
    CHECK(raw->sin_port == htons(110));
    CHECK(ntohl(raw->sin_addr.s_addr) == 0xC0000207);
}

TEST_CASE("an IPv6 address stands in brackets and is shown in its shortest form") {
    const auto address = SocketAddress::parse("[2001:DB8:0:0::1]:65535");
    REQUIRE(address);
    CHECK(address->family() == AF_INET6);
    CHECK(address->octets() == sizeof(sockaddr_in6));
    CHECK(address->port() == 65535);
    CHECK(address->host() == "2001:db8::1");
    CHECK(address->text() == "[2001:db8::1]:65535");
}

TEST_CASE("0.0.0.0 and :: are wildcards, loopback is not; port 0 is accepted") {
    CHECK(SocketAddress::parse("0.0.0.0:0")->is_wildcard());
    CHECK(SocketAddress::parse("[::]:995")->is_wildcard());
    CHECK_FALSE(SocketAddress::parse("127.0.0.1:0")->is_wildcard());
    CHECK_FALSE(SocketAddress::parse("[::1]:0")->is_wildcard());
    CHECK_FALSE(SocketAddress().is_wildcard());
}

TEST_CASE("an IPv4 address mapped into IPv6 reads as IPv4") {
    const auto address = SocketAddress::parse("[::ffff:192.0.2.7]:110");
    REQUIRE(address);
    CHECK(address->family() == AF_INET6);
    CHECK(address->host() == "192.0.2.7");
    CHECK(address->text() == "192.0.2.7:110");
}

TEST_CASE("an address filled in by accept is read by its family") {
    SocketAddress peer;
    CHECK(*peer.raw_octets() == sizeof(sockaddr_in6));
    CHECK(peer.host() == "unknown");
    sockaddr_in ipv4{};
    ipv4.sin_family = AF_INET;
    ipv4.sin_port = htons(40000);
    ipv4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    std::memcpy(peer.raw(), &ipv4, sizeof ipv4);
    *peer.raw_octets() = sizeof ipv4;
    CHECK(peer.text() == "127.0.0.1:40000");
}

TEST_CASE("what is no address is refused with the cure") {
    CHECK(error_of("") == R"(an address is missing: write "127.0.0.1:110")");
    CHECK(error_of("127.0.0.1") == R"("127.0.0.1" has no port: write "127.0.0.1:110")");
    CHECK(error_of("[::1]") == R"("[::1]" has no port: write "[::1]:110")");
    CHECK(error_of("[::1]110") == R"("[::1]110" has no port: write "[::1]:110")");
    CHECK(error_of("[::1:110") == R"("[::1:110" has no ]: write "[::1]:110")");
    CHECK(error_of("::1:110") == R"("::1:110" is IPv6 without brackets: write "[::1]:110")");
    CHECK(error_of("localhost:110") ==
          R"("localhost" is not an IPv4 address (names are not looked up))");
    CHECK(error_of("[127.0.0.1]:110") == R"("127.0.0.1" is not an IPv6 address)");
    CHECK(error_of("127.1:110") == R"("127.1" is not an IPv4 address (names are not looked up))");
}

TEST_CASE("a port is a number from 0 to 65535 and nothing else") {
    for (const char* text : {"127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:+1",
                             "127.0.0.1: 110", "127.0.0.1:110 ", "127.0.0.1:pop3", "[::1]:"}) {
        CAPTURE(text);
        CHECK(error_of(text) ==
              '"' + std::string(text) + "\" has a bad port: it is a number from 0 to 65535");
    }
}

TEST_CASE("control octets and NUL in an address neither pass nor reach the operator raw") {
    CHECK(error_of(std::string_view("127.0.0.1\0:110", 14)) ==
          R"("127.0.0.1\x00" is not an IPv4 address (names are not looked up))");
    CHECK(error_of("\n:110") == R"("\x0a" is not an IPv4 address (names are not looked up))");
}
