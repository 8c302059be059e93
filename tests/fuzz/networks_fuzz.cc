// allow_nets and socket addresses: what is read is what inet_ntop() writes back, an address alone
// contains itself, and a network everything that shares its prefix. Input: one text.
#include <expected>
#include <string>

#include "auth/network_list.h"
#include "base/assert.h"
#include "fuzz/target.h"
#include "ring/socket_address.h"

namespace restante::fuzz {
namespace {

NetworkList list_of(const std::string& text) {
    const std::expected<NetworkList, const char*> list = NetworkList::parse(text);
    ASSERT(list.has_value());
    return *list;
}

void check_address(const SocketAddress& address) {
    const std::string text = address.text();
    const std::expected<SocketAddress, std::string> again = SocketAddress::parse(text);
    ASSERT(again.has_value());
    ASSERT(again->text() == text && again->port() == address.port());
    const std::string host = address.host();
    ASSERT(list_of(host).contains(address));
    ASSERT(list_of("192.0.2.1,local," + host).contains(address));
    ASSERT(list_of("0.0.0.0/0,::/0").contains(address));
    ASSERT(!list_of("local").contains(address));
    const bool is_ipv4 = !host.contains(':');
    for (const char* bits : {"/0", "/1", "/13", "/24", "/32"}) {
        ASSERT(list_of(host + bits).contains(address));
    }
    ASSERT(NetworkList::parse(host + "/33").has_value() == !is_ipv4);
    ASSERT(!NetworkList::parse(host + "/129"));
}

}  // namespace

void fuzz_networks(std::string_view input) {
    if (const auto address = SocketAddress::parse(input)) {
        check_address(*address);
    } else {
        ASSERT(!address.error().empty());
    }
    const std::expected<NetworkList, const char*> list = NetworkList::parse(input);
    if (!list) return;
    ASSERT(!list->contains(SocketAddress()));
    const std::string twice = std::string(input) + ',' + std::string(input);
    if (twice.size() < networks_max) ASSERT(NetworkList::parse(twice).has_value());
}

}  // namespace restante::fuzz
