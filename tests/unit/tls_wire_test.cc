#include "net/tls_wire.h"

#include <doctest/doctest.h>
#include <openssl/bio.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <array>
#include <memory>

#include "base/fd.h"
#include "base/free_with.h"
#include "tls_world.h"

namespace restante {
namespace {

constexpr int bio_ctrl_set_ktls = 72;

/// What OpenSSL asked of a kernel that takes everything.
struct Asked {
    int keys_of_sending = 0;
    int keys_of_receiving = 0;
};

Asked& asked_of(BIO* bio) { return *static_cast<Asked*>(BIO_get_data(bio)); }

int write(BIO*, const char*, std::size_t size, std::size_t* written) {
    *written = size;
    return 1;
}

long control(BIO* bio, int command, long number, void*) {
    Asked& asked = asked_of(bio);
    if (command == BIO_CTRL_GET_KTLS_SEND) return asked.keys_of_sending > 0 ? 1 : 0;
    if (command != bio_ctrl_set_ktls) return 0;
    ++(number != 0 ? asked.keys_of_sending : asked.keys_of_receiving);
    return 1;
}

/// A wire before such a kernel; `far` is the client's end.
struct KernelWire {
    Asked asked;
    std::unique_ptr<BIO_METHOD, FreeWith<BIO_meth_free>> method;
    Fd near, far;
    TlsWire wire;

    KernelWire() : method(BIO_meth_new(BIO_TYPE_SOURCE_SINK, "kernel")) {
        BIO_meth_set_write_ex(method.get(), write);
        BIO_meth_set_ctrl(method.get(), control);
        int ends[2];
        REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
        near = Fd(ends[0]);
        far = Fd(ends[1]);
        wire.kernel = BIO_new(method.get());
        REQUIRE(wire.kernel != nullptr);
        BIO_set_data(wire.kernel, &asked);
        BIO_set_init(wire.kernel, 1);
        wire.socket = near.get();
    }

    /// The handshake, up to what the kernel would have to encrypt for the client.
    void shake(SSL* server, sim::TlsClient& client) {
        for (int turn = 0; turn < 4 && asked.keys_of_sending == 0; ++turn) {
            client.handshake();
            wire.incoming.append(client.take_outgoing());
            SSL_do_handshake(server);
            const std::span<const char> held = wire.outgoing.octets();
            client.feed(held);
            wire.outgoing.drop(held.size());
            std::array<char, 16384> flushed;
            const ssize_t got = ::recv(far.get(), flushed.data(), flushed.size(), MSG_DONTWAIT);
            if (got > 0) client.feed(std::span(flushed).first(static_cast<std::size_t>(got)));
        }
    }
};

}  // namespace

TEST_CASE("the kernel is given OpenSSL's keys of sending, and never those of receiving") {
    const TlsWorld world;
    const auto context = context_of(world.settings());
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        CAPTURE(version);
        KernelWire kernel;
        const std::unique_ptr<SSL, FreeWith<SSL_free>> server(context->new_connection());
        BIO* bio = kernel.wire.make_bio();
        SSL_set_bio(server.get(), bio, bio);
        SSL_set_options(server.get(), SSL_OP_ENABLE_KTLS);
        sim::TlsClient client({.min_version = version, .max_version = version});
        kernel.shake(server.get(), client);
        CHECK(kernel.asked.keys_of_sending == 1);
        CHECK(kernel.asked.keys_of_receiving == 0);
        CHECK(kernel.wire.is_kernel_sending);
        CHECK(kernel.wire.outgoing.size() == 0);  // the kernel's keys count from the next octet on
    }
}

}  // namespace restante
