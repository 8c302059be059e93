#include "server/service_manager.h"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>

#include "base/fd.h"

using restante::Fd;
using restante::ServiceManager;

namespace {

/// What systemd is to a service: a datagram socket that NOTIFY_SOCKET names.
class Listener {
public:
    explicit Listener(std::string name) : socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::memcpy(address.sun_path, name.data(), name.size());
        const auto octets = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
        REQUIRE(::bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), octets) == 0);
        if (name[0] == '\0') name[0] = '@';
        ::setenv("NOTIFY_SOCKET", name.c_str(), 1);
    }
    ~Listener() { ::unsetenv("NOTIFY_SOCKET"); }
    /// The next datagram, "" where there is none.
    std::string heard() const {
        char octets[256];
        const ssize_t got = ::recv(socket_.get(), octets, sizeof octets, MSG_DONTWAIT);
        return got < 0 ? std::string() : std::string(octets, static_cast<std::size_t>(got));
    }

private:
    Fd socket_;
};

std::string temporary_name() {
    return (std::filesystem::temp_directory_path() / ("notify-" + std::to_string(::getpid())))
        .string();
}

}  // namespace

TEST_CASE("the service manager hears that the service is ready, reloads and stops") {
    const std::string name = temporary_name();
    {
        const Listener systemd(name);
        const ServiceManager told;
        told.ready();
        CHECK(systemd.heard() == "READY=1");
        told.reloading();
        CHECK(systemd.heard().starts_with("RELOADING=1\nMONOTONIC_USEC="));
        told.stopping();
        CHECK(systemd.heard() == "STOPPING=1");
    }
    ::unlink(name.c_str());
}

TEST_CASE("a service manager may listen on an abstract socket, as in containers") {
    const Listener systemd(std::string(1, '\0') + temporary_name());
    const ServiceManager told;
    told.ready();
    CHECK(systemd.heard() == "READY=1");
}

TEST_CASE("without a service manager, or with one that is gone, nothing is told") {
    ::unsetenv("NOTIFY_SOCKET");
    ServiceManager().ready();
    ::setenv("NOTIFY_SOCKET", "/nonexistent/notify", 1);
    ServiceManager().ready();
    ::setenv("NOTIFY_SOCKET", std::string(200, 'x').c_str(), 1);
    ServiceManager().ready();
    ::unsetenv("NOTIFY_SOCKET");
}
