#include "net/tls_kernel.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/opensslconf.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <optional>

#include "base/fd.h"

namespace restante {
namespace {

#ifdef OPENSSL_NO_KTLS
constexpr bool has_openssl_kernel_tls = false;
#else
constexpr bool has_openssl_kernel_tls = true;
#endif

/// Connected over loopback; nothing where that fails.
std::optional<Fd> connected_socket(Fd& listener) {
    const auto make = [] { return ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0); };
    const int listening = make();
    if (listening < 0) return std::nullopt;
    listener = Fd(listening);
    const int connecting = make();
    if (connecting < 0) return std::nullopt;
    Fd client(connecting);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* place = reinterpret_cast<sockaddr*>(&address);
    if (::bind(listening, place, size) != 0 || ::listen(listening, 1) != 0) return std::nullopt;
    if (::getsockname(listening, place, &size) != 0) return std::nullopt;
    if (::connect(connecting, place, size) != 0) return std::nullopt;
    return client;
}

}  // namespace

std::string kernel_tls_problem() {
    if (!has_openssl_kernel_tls) return "kernel TLS: this OpenSSL was built without it";
    Fd listener;
    const std::optional<Fd> socket = connected_socket(listener);
    if (!socket) return std::string("kernel TLS: not tried: ") + std::strerror(errno);
    static constexpr char protocol[] = "tls";
    if (::setsockopt(socket->get(), IPPROTO_TCP, TCP_ULP, protocol, sizeof protocol) == 0)
        return {};
    if (errno != ENOENT) return std::string("kernel TLS: refused: ") + std::strerror(errno);
    return "kernel TLS: this kernel has none loaded: modprobe tls, if it was built with CONFIG_TLS";
}

}  // namespace restante
