#pragma once
/// What the operations of kernel_rings_agree_test.cc are about: files, a connection, and what is
/// told of them.

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "net/listener.h"
#include "unit/kernel_rings.h"

namespace restante {

/// A folder of some files, gone at the end.
class Folder {
public:
    Folder() {
        char name[] = "/tmp/restante-agree.XXXXXX";
        REQUIRE(::mkdtemp(name) != nullptr);
        path_ = name;
        std::filesystem::create_directory(path_ / "folder");
        std::filesystem::create_symlink("one", path_ / "link");
        write("one", std::string(100, 'a'));
        write("two", std::string(70'000, 'b').append("end"));
        write("three", std::string(1'000'000, 'c').append("end"));
        write("folder/inside", "inside");
    }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    ~Folder() { std::filesystem::remove_all(path_); }
    const std::filesystem::path& path() const { return path_; }

private:
    void write(const char* name, const std::string& content) const {
        std::ofstream(path_ / name, std::ios::binary) << content;
    }
    std::filesystem::path path_;
};

inline std::string shown(std::span<const char> octets) {
    const std::string_view text(octets.data(), octets.size());
    return fmt::format("{}:{:x}", text.size(), std::hash<std::string_view>()(text));
}

/// What it says that does not differ between two folders with the same files.
inline std::string shown(const FileStatus& status) {
    return fmt::format("kind {} octets {}", static_cast<int>(status.kind),
                       status.kind == FileKind::regular ? status.octets : 0);
}

/// Both ends of a TCP connection: `near` is the ring's, `far` the script's.
struct Connection {
    explicit Connection(Ring& ring) {
        std::vector<Fd> listeners = *make_listeners(*SocketAddress::parse("127.0.0.1:0"), 1);
        const SocketAddress address = local_address(listeners[0].get());
        far = Fd(::socket(AF_INET, SOCK_STREAM, 0));
        REQUIRE(::connect(far.get(), address.raw(), address.octets()) == 0);
        const int accepted = ::accept4(listeners[0].get(), nullptr, nullptr, SOCK_CLOEXEC);
        REQUIRE(accepted >= 0);
        near = Handle(ring, accepted);
        // Nagle's algorithm and delayed acknowledgements wait for each other.
        const int at_once = 1;
        for (const int end : {accepted, far.get()})
            ::setsockopt(end, IPPROTO_TCP, TCP_NODELAY, &at_once, sizeof at_once);
    }
    Handle near;
    Fd far;
};

}  // namespace restante
