#pragma once
/// A ring of the real kernel, a folder of its own, and pairs of sockets.

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "unit/kernel_rings.h"

namespace restante {

template <class Kernel>
class RingWorld {
public:
    /// `options`: of OnUring; of the others what they know.
    explicit RingWorld(UringOptions options = {}) {
        char name[] = "/tmp/restante-ring.XXXXXX";
        REQUIRE(::mkdtemp(name) != nullptr);
        folder_ = name;
        ring_ = Kernel::make(helpers_, options);
        directory_ = Handle(*ring_, ::open(name, O_RDONLY | O_DIRECTORY));
    }
    ~RingWorld() {
        directory_.reset();
        std::filesystem::remove_all(folder_);
    }

    Ring& ring() { return *ring_; }
    const std::filesystem::path& folder() const { return folder_; }
    int directory() const { return directory_.get(); }
    void write(const std::string& name, const std::string& content) {
        std::ofstream(folder_ / name, std::ios::binary) << content;
    }
    /// Submits it, inline answers aside, and turns the ring until it has completed.
    std::int64_t ask(const Request& request) {
        Operation operation(request);
        start(operation);
        while (operation.in_flight) ring_->turn();
        return operation.result;
    }
    void start(Operation& operation) {
        operation.on_complete = [](Operation&) {};
        ring_->submit(operation);
    }

private:
    HelperPool helpers_{default_helper_sizes()};
    std::filesystem::path folder_;
    std::unique_ptr<Ring> ring_;
    Handle directory_;
};

struct SocketPair {
    explicit SocketPair(Ring& ring) {
        int sockets[2];
        REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) == 0);
        near = Handle(ring, sockets[0]);
        far = Handle(ring, sockets[1]);
    }
    Handle near;
    Handle far;
};

}  // namespace restante
