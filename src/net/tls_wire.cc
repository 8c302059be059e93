#include "net/tls_wire.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "base/assert.h"
#include "base/free_with.h"

namespace restante {
namespace {

/// OpenSSL 3.0's own, beside BIO_CTRL_GET_KTLS_SEND in bio.h: "here are the keys"; the number is
/// not 0 for those of sending (it is SSL3_CC_WRITE, 2).
constexpr int bio_ctrl_set_ktls = 72;
static_assert(BIO_CTRL_GET_KTLS_SEND == bio_ctrl_set_ktls + 1);

TlsWire& wire_of(BIO* bio) { return *static_cast<TlsWire*>(BIO_get_data(bio)); }

int read_incoming(BIO* bio, char* target, std::size_t size, std::size_t* read) {
    TlsOctets& incoming = wire_of(bio).incoming;
    BIO_clear_retry_flags(bio);
    *read = std::min(size, incoming.size());
    if (*read == 0) {
        BIO_set_retry_read(bio);
        return 0;
    }
    std::memcpy(target, incoming.octets().data(), *read);
    incoming.drop(*read);
    return 1;
}

/// Alerts, tickets and TLS 1.2's Finished, once the kernel encrypts. They are small: where the
/// socket says that it can be written to, they do not wait, blocking or not.
int write_to_kernel(BIO* bio, TlsWire& wire, const char* source, std::size_t size,
                    std::size_t* written) {
    pollfd ready{wire.socket, POLLOUT, 0};
    if (::poll(&ready, 1, 0) == 1 && BIO_write_ex(wire.kernel, source, size, written) == 1)
        return 1;
    BIO_set_retry_write(bio);
    return 0;
}

int write_outgoing(BIO* bio, const char* source, std::size_t size, std::size_t* written) {
    TlsWire& wire = wire_of(bio);
    BIO_clear_retry_flags(bio);
    if (wire.is_kernel_sending) return write_to_kernel(bio, wire, source, size, written);
    wire.outgoing.append({source, size});
    *written = size;
    return 1;
}

/// The kernel's keys count from the next octet on: what they are not for must have left by then.
/// What the socket does not take now is left to the engine's caller.
int flush(BIO* bio) {
    TlsWire& wire = wire_of(bio);
    BIO_clear_retry_flags(bio);
    if (wire.kernel == nullptr || wire.is_kernel_sending) return 1;
    while (wire.outgoing.size() > 0) {
        const std::span<const char> octets = wire.outgoing.octets();
        const ssize_t sent =
            ::send(wire.socket, octets.data(), octets.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent <= 0) {
            BIO_set_retry_write(bio);
            return -1;
        }
        wire.outgoing.drop(static_cast<std::size_t>(sent));
    }
    return 1;
}

long control(BIO* bio, int command, long number, void* pointer) {
    TlsWire& wire = wire_of(bio);
    if (command == BIO_CTRL_FLUSH) return flush(bio);
    if (wire.kernel == nullptr) return 0;
    if (command != bio_ctrl_set_ktls) return BIO_ctrl(wire.kernel, command, number, pointer);
    if (number == 0) return 0;  // what is received comes through the ring, as ciphertext
    const long is_set = BIO_ctrl(wire.kernel, command, number, pointer);
    wire.is_kernel_sending = is_set > 0;
    return is_set;
}

BIO_METHOD* wire_method() {
    static const std::unique_ptr<BIO_METHOD, FreeWith<BIO_meth_free>> method = [] {
        BIO_METHOD* made =
            BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "restante wire");
        ASSERT(made != nullptr);
        BIO_meth_set_read_ex(made, read_incoming);
        BIO_meth_set_write_ex(made, write_outgoing);
        BIO_meth_set_ctrl(made, control);
        return std::unique_ptr<BIO_METHOD, FreeWith<BIO_meth_free>>(made);
    }();
    return method.get();
}

}  // namespace

TlsWire::~TlsWire() { BIO_free(kernel); }

void TlsWire::want_kernel(int socket_fd) {
    static constexpr char protocol[] = "tls";
    if (::setsockopt(socket_fd, IPPROTO_TCP, TCP_ULP, protocol, sizeof protocol) != 0) return;
    socket = socket_fd;
    kernel = BIO_new_socket(socket_fd, BIO_NOCLOSE);
    ERR_clear_error();
}

bio_st* TlsWire::make_bio() {
    BIO* bio = BIO_new(wire_method());
    if (bio == nullptr) return nullptr;
    BIO_set_data(bio, this);
    BIO_set_init(bio, 1);
    return bio;
}

}  // namespace restante
