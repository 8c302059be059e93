#pragma once
/// Sockets that wait for connections.

#include <expected>
#include <string>
#include <vector>

#include "base/fd.h"
#include "ring/socket_address.h"

namespace restante {

/// Longest queue of connections that nobody has accepted yet; the kernel cuts it to
/// net.core.somaxconn.
inline constexpr int accept_backlog = 4096;

/// Whether make_listeners() would get `address`, without listening on it: with SO_REUSEPORT alone a
/// second server of the same user would quietly share the port, but one that listens refuses a
/// socket without the option.
std::expected<void, std::string> check_free(const SocketAddress& address);

/// `count` listening sockets on `address`, among which the kernel shares the connections
/// (SO_REUSEPORT); accepted sockets inherit their options: no delay, keepalive, TCP_USER_TIMEOUT.
/// Port 0 becomes a free one, the same for all. The error is a sentence for an operator.
std::expected<std::vector<Fd>, std::string> make_listeners(const SocketAddress& address,
                                                           std::size_t count);

/// Where `socket` is bound.
SocketAddress local_address(int socket);

}  // namespace restante
