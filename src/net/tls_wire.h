#pragma once
/// What OpenSSL reads from and writes to: two queues, or the kernel's TLS. For tls_engine.cc.

#include "net/tls_octets.h"

struct bio_st;

namespace restante {

struct TlsWire {
    TlsOctets incoming;
    TlsOctets outgoing;
    bio_st* kernel = nullptr;  ///< a socket BIO where kernel TLS is wanted; owned
    int socket = -1;           ///< of it
    bool is_kernel_sending = false;

    TlsWire() = default;
    TlsWire(const TlsWire&) = delete;
    TlsWire& operator=(const TlsWire&) = delete;
    ~TlsWire();

    /// Asks the kernel for TLS on `socket_fd`, which is borrowed. Refused: nothing changes.
    void want_kernel(int socket_fd);
    /// For SSL_set_bio(); `this` must outlive it. nullptr: out of memory. Its reads never end: who
    /// feeds `incoming` knows when no more will come.
    bio_st* make_bio();
};

}  // namespace restante
