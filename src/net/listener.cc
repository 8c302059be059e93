#include "net/listener.h"

#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace restante {
namespace {

// A half-open session would hold its maildrop's lock: it is found out within two to three minutes.
constexpr int keepalive_idle_seconds = 60;
constexpr int keepalive_interval_seconds = 20;
constexpr int keepalive_probes = 5;
constexpr unsigned unacknowledged_ms_max = 120'000;
// The kernel takes down the rings of a process that was killed after its end, and so long the port
// is taken: 5 to 90 ms on an idle machine (6.18).
constexpr int port_looks_max = 200;
constexpr int port_interval_ms = 10;

bool set_option(int socket, int level, int name, int value) {
    return ::setsockopt(socket, level, name, &value, sizeof value) == 0;
}

std::string failure(const SocketAddress& address, const char* what, int error) {
    std::string sentence =
        std::string("cannot ") + what + " " + address.text() + ": " + strerrordesc_np(error);
    if (error == EADDRINUSE) sentence += "; another server has this port (`ss -ltnp` names it)";
    if (error == EACCES) {
        sentence +=
            "; ports below 1024 need root (start as root, [storage] user is dropped to) or "
            "CAP_NET_BIND_SERVICE";
    }
    if (error == EADDRNOTAVAIL) sentence += "; no interface of this machine has this address";
    return sentence;
}

/// The error is an errno.
std::expected<Fd, int> bound_socket(const SocketAddress& address, bool share_port) {
    const int opened = ::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (opened < 0) return std::unexpected(errno);
    Fd socket(opened);
    set_option(opened, SOL_SOCKET, SO_REUSEADDR, 1);
    if (share_port) set_option(opened, SOL_SOCKET, SO_REUSEPORT, 1);
    if (address.family() == AF_INET6) set_option(opened, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    set_option(opened, IPPROTO_TCP, TCP_NODELAY, 1);
    set_option(opened, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(opened, IPPROTO_TCP, TCP_KEEPIDLE, keepalive_idle_seconds);
    set_option(opened, IPPROTO_TCP, TCP_KEEPINTVL, keepalive_interval_seconds);
    set_option(opened, IPPROTO_TCP, TCP_KEEPCNT, keepalive_probes);
    set_option(opened, IPPROTO_TCP, TCP_USER_TIMEOUT, static_cast<int>(unacknowledged_ms_max));
    if (::bind(opened, address.raw(), address.octets()) < 0) return std::unexpected(errno);
    return socket;
}

/// A server that was killed may have it a moment longer.
void wait_while_taken(const SocketAddress& address) {
    for (int i = 0; i < port_looks_max; ++i) {
        const std::expected<Fd, int> alone = bound_socket(address, false);
        if (alone || alone.error() != EADDRINUSE) return;
        ::poll(nullptr, 0, port_interval_ms);
    }
}

}  // namespace

std::expected<void, std::string> check_free(const SocketAddress& address) {
    const std::expected<Fd, int> alone = bound_socket(address, false);
    if (!alone) return std::unexpected(failure(address, "listen on", alone.error()));
    return {};
}

SocketAddress local_address(int socket) {
    SocketAddress address;
    ::getsockname(socket, address.raw(), address.raw_octets());
    return address;
}

std::expected<std::vector<Fd>, std::string> make_listeners(const SocketAddress& address,
                                                           std::size_t count) {
    wait_while_taken(address);
    if (std::expected<void, std::string> is_free = check_free(address); !is_free) {
        return std::unexpected(is_free.error());
    }
    std::vector<Fd> listeners;
    SocketAddress where = address;
    for (std::size_t i = 0; i < count; ++i) {
        std::expected<Fd, int> socket = bound_socket(where, true);
        if (!socket) return std::unexpected(failure(where, "listen on", socket.error()));
        if (::listen(socket->get(), accept_backlog) < 0) {
            return std::unexpected(failure(where, "listen on", errno));
        }
        where = local_address(socket->get());
        listeners.push_back(std::move(*socket));
    }
    return listeners;
}

}  // namespace restante
