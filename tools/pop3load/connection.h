#pragma once
/// A client's side of one TCP connection, with or without TLS; never blocks.

#include <openssl/types.h>
#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "options.h"

struct ssl_session_st;  // openssl/types.h has the others

namespace pop3load {

/// A socket address of either family.
struct Address {
    sockaddr_storage storage{};
    socklen_t octets = 0;
    /// Resolves a numeric address or a name; the error is a sentence.
    static std::expected<Address, std::string> resolve(const std::string& host, std::uint16_t port);
    const sockaddr* raw() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

struct FreeSsl {
    void operator()(SSL* tls) const;
};
struct FreeContext {
    void operator()(SSL_CTX* context) const;
};
struct FreeSession {
    void operator()(ssl_session_st* session) const;
};

/// What the TLS connections of one thread share: the settings, and the last session the server
/// gave, to resume. Accepts any certificate: this measures, it does not trust.
class TlsClient {
public:
    TlsClient();
    TlsClient(const TlsClient&) = delete;  // OpenSSL knows where it is
    TlsClient& operator=(const TlsClient&) = delete;
    SSL_CTX* context() const { return context_.get(); }
    ssl_session_st* resumable() const { return session_.get(); }

private:
    static int keep_session(SSL* tls, ssl_session_st* session);
    std::unique_ptr<SSL_CTX, FreeContext> context_;
    std::unique_ptr<ssl_session_st, FreeSession> session_;
};

class Connection {
public:
    /// What receive(), send_pending() and handshake() answer besides a count.
    enum class Wait : std::uint8_t {
        readable,  ///< nothing now: again when the socket is readable
        writable,  ///< again when the socket is writable
        closed,    ///< the peer closed in good order
        failed,    ///< reset, or TLS broke: see failure()
    };

    Connection() = default;
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;
    ~Connection() { close(); }

    /// How much the kernel takes in ahead of receive().
    enum class Window : std::uint8_t { large, small };
    /// Begins to connect, from `source` unless it is null. 0, EINPROGRESS (wait until writable,
    /// then connect_result()) or another errno, with the socket closed.
    int connect(const Address& target, const Address* source, Window window);
    /// 0 or the errno the connection failed with.
    int connect_result() const;
    int socket() const { return socket_; }
    void close();

    void begin_tls(const TlsClient& client, bool resume);
    /// A value once the handshake is done.
    std::expected<void, Wait> handshake();
    /// After the handshake: whether the server resumed the session it was offered.
    bool is_resumed() const;

    /// Octets into `target`, at least 1.
    std::expected<std::size_t, Wait> receive(std::span<char> target);
    /// More may be decrypted already: receive() again before waiting.
    bool has_pending() const;

    /// Appends to what is to be sent.
    void queue(std::string_view octets) { outgoing_ += octets; }
    /// Sends what is queued; a value when all of it is out.
    std::expected<void, Wait> send_pending();

    /// Of the last `failed`, in words.
    const std::string& failure() const { return failure_; }

private:
    Wait tls_wait(int result);
    Wait failed(int error);

    int socket_ = -1;
    std::unique_ptr<SSL, FreeSsl> tls_;
    std::string outgoing_;
    std::string failure_;
};

}  // namespace pop3load
