#include "server/service_manager.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstdlib>
#include <cstring>
#include <ctime>

namespace restante {

ServiceManager::ServiceManager() {
    const char* path = std::getenv("NOTIFY_SOCKET");
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path == nullptr) return;
    const std::size_t length = std::strlen(path);
    if (length < 2 || length >= sizeof address.sun_path) return;
    std::memcpy(address.sun_path, path, length);
    if (path[0] == '@') address.sun_path[0] = '\0';  // an abstract one
    const int made = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (made < 0) return;
    socket_ = Fd(made);
    const auto octets = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length);
    if (::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), octets) < 0) {
        socket_ = Fd();
    }
}

void ServiceManager::reloading() const {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    const std::int64_t microseconds = now.tv_sec * std::int64_t{1'000'000} + now.tv_nsec / 1000;
    tell(fmt::format("RELOADING=1\nMONOTONIC_USEC={}", microseconds));
}

void ServiceManager::tell(std::string_view state) const {
    if (!socket_.is_open()) return;
    // Not waiting: a service manager that does not listen must not stop the mail.
    ::send(socket_.get(), state.data(), state.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

}  // namespace restante
