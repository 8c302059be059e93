#pragma once
/// The server's side of one TLS connection, without I/O: ciphertext in and out, plaintext out and
/// in. Nothing here waits; who has the socket does:
///
///     accept:   while (engine.handshake() is wants_input) { send outgoing(); receive; feed(); }
///     receive:  while (engine.read(target) is wants_input) { send outgoing(); receive; feed(); }
///     send:     while (there is plaintext) { write(); send outgoing(); }
///
/// outgoing() is to be sent after whatever was called last, also after a failure (an alert).

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "net/tls_context.h"
#include "net/tls_wire.h"

struct ssl_st;

namespace restante {

/// Ciphertext that feed() holds, at most: a record, and the start of the next.
inline constexpr std::size_t tls_incoming_octets_max = 32 * 1024;
/// Ciphertext that write() makes before it is sent, at most.
inline constexpr std::size_t tls_outgoing_octets_max = 144 * 1024;
/// Of this, what TLS itself has to say to a client that takes none of it.
inline constexpr std::size_t tls_answers_octets_max = 16 * 1024;
/// Plaintext that one write() on an empty outgoing() always takes.
inline constexpr std::size_t tls_write_octets = 128 * 1024;
/// Octets of a client's part of the handshake, at most.
inline constexpr std::size_t tls_handshake_octets_max = 64 * 1024;
static_assert(tls_client_chain_octets_max < tls_handshake_octets_max);

enum class TlsStatus : std::uint8_t {
    ready,         ///< handshake(): it is done; read(): there are octets
    wants_input,   ///< send outgoing(), then feed() what the peer sends
    wants_output,  ///< send outgoing(), all of it, then ask again
    closed,        ///< the peer said that it sends no more (close_notify); write() goes on
    truncated,     ///< it hung up without saying so: many clients do, after QUIT
    failed,        ///< failure() says why; send outgoing(), then close
};

struct TlsRead {
    TlsStatus status;
    std::size_t octets = 0;  ///< ready: 1 at least
};

/// What a client's certificate and channel are known by (RFC 5929, RFC 9266).
enum class ChannelBinding : std::uint8_t { tls_exporter, tls_unique, tls_server_end_point };

struct TlsDetails {
    std::string_view version;  ///< "TLSv1.3"
    std::string_view cipher;   ///< "TLS_AES_128_GCM_SHA256"
    bool is_resumed = false;
    std::string server_name;  ///< as the client sent it (SNI); "" = it did not
};

/// Neither copied nor moved: OpenSSL knows its address. Of one thread. Before the first octet is
/// fed it holds no memory of OpenSSL's, and between records no buffers.
class TlsEngine {
public:
    explicit TlsEngine(std::shared_ptr<const TlsContext> context);
    TlsEngine(const TlsEngine&) = delete;
    TlsEngine& operator=(const TlsEngine&) = delete;
    ~TlsEngine();

    /// Before the first feed(): lets the kernel encrypt what is sent, if OpenSSL and the kernel
    /// offer it (tls_kernel.h). During the handshake the engine then may send on
    /// `socket` by itself, without waiting and only while nothing of the caller's is in flight. It
    /// borrows `socket`, which must be connected, and be open until the engine's end.
    void use_kernel_tls(int socket);

    /// Octets of ciphertext that feed() would take.
    std::size_t room() const;
    /// Takes a copy of the first room() octets; returns how many. 0 after a failure.
    std::size_t feed(std::span<const char> ciphertext);
    /// The peer sends no more (FIN).
    void feed_end() { is_input_over_ = true; }

    /// Ciphertext for the peer; valid until the next call but feed() and consumed(), which leaves
    /// what follows in place.
    std::span<const char> outgoing() const { return wire_.outgoing.octets(); }
    /// The first `octets` of outgoing() were sent.
    void consumed(std::size_t octets) { wire_.outgoing.drop(octets); }

    /// Goes on with it: ready, wants_input, wants_output, truncated or failed.
    TlsStatus handshake();
    bool is_established() const { return is_established_; }
    /// After the handshake. `target` is not empty.
    TlsRead read(std::span<char> target);
    /// After the handshake: encrypts from the start of `plaintext`; returns how much of it, 0 while
    /// outgoing() is too full, or after a failure or close(). Not with is_kernel_tls_sending().
    std::size_t write(std::span<const char> plaintext);
    /// Adds close_notify to outgoing(), once, after the handshake. Nothing can be written then.
    void close();

    /// True: plaintext is to be sent on the socket as it is (send, sendfile), and outgoing() stays
    /// empty. Settled when handshake() says ready.
    bool is_kernel_tls_sending() const { return wire_.is_kernel_sending; }
    /// read() has octets already: without another feed(), that is.
    bool has_plaintext_pending() const;
    /// Octets fed that no read() has looked at yet.
    bool has_input_pending() const { return !wire_.incoming.octets().empty(); }

    /// One line for the log, escaped, e.g. "TLS handshaking: SSL_accept() failed: unsupported
    /// protocol: the client offers no version that is allowed here". "" where nothing went wrong.
    const std::string& failure() const { return failure_; }

    /// All below: after the handshake.
    TlsDetails details() const;
    /// Nothing where the connection has none: tls-exporter and tls-unique without extended master
    /// secret (RFC 9266 §4.2, RFC 7627), tls-unique on TLS 1.3, tls-server-end-point on a resumed
    /// session.
    std::optional<std::string> channel_binding(ChannelBinding kind) const;
    /// Whether there is a tls-exporter, and on TLS 1.2 a tls-unique.
    bool has_channel_binding() const;
    /// Who the client is by its valid certificate: the first e-mail address in subjectAltName, else
    /// the common name. Not escaped, not canonical. Nothing without one.
    std::optional<std::string> client_user() const;
    /// Why a client's certificate does not count: a sentence; "" where it does, or there is none.
    std::string client_certificate_problem() const;

private:
    bool begin();
    TlsStatus stopped(int result);
    TlsStatus wait_for_input();
    TlsStatus fail(const std::string& reason);

    struct SslFree {
        void operator()(ssl_st* ssl) const;
    };

    std::shared_ptr<const TlsContext> context_;
    TlsWire wire_;  // before ssl_, which ends first
    std::unique_ptr<ssl_st, SslFree> ssl_;
    std::string failure_;
    std::size_t fed_ = 0;  // octets until the handshake is done
    bool is_input_over_ = false;
    bool is_established_ = false;
    bool is_failed_ = false;
    bool is_closed_ = false;
};

}  // namespace restante
