#include "connection.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace pop3load {
namespace {

/// Where a TlsClient finds itself again in OpenSSL's callback.
int client_index() {
    static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
    return index;
}

/// As behind a slow line: with the kernel's own buffer, and loopback's segments of 64 KiB, the
/// server would be rid of 4 MB at once instead of 0.4 (Linux 6; its own buffer grows with the
/// segments). No smaller: a window of a few segments makes the reader wait for the next.
void make_window_small(int socket) {
    const int window_octets = 8192;
    const int segment_octets = 1460;  // Ethernet's
    ::setsockopt(socket, SOL_SOCKET, SO_RCVBUF, &window_octets, sizeof window_octets);
    ::setsockopt(socket, IPPROTO_TCP, TCP_MAXSEG, &segment_octets, sizeof segment_octets);
}

std::string tls_error() {
    char text[256];
    const unsigned long error = ERR_get_error();
    if (error == 0) return "TLS: the server closed";
    ERR_error_string_n(error, text, sizeof text);
    return text;
}

}  // namespace

void FreeSsl::operator()(SSL* tls) const { SSL_free(tls); }
void FreeContext::operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
void FreeSession::operator()(SSL_SESSION* session) const { SSL_SESSION_free(session); }

std::expected<Address, std::string> Address::resolve(const std::string& host, std::uint16_t port) {
    addrinfo wanted{};
    wanted.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    const int failed = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &wanted, &found);
    if (failed != 0) return std::unexpected(host + ": " + ::gai_strerror(failed));
    Address address;
    std::memcpy(&address.storage, found->ai_addr, found->ai_addrlen);
    address.octets = found->ai_addrlen;
    ::freeaddrinfo(found);
    return address;
}

TlsClient::TlsClient() : context_(SSL_CTX_new(TLS_client_method())) {
    if (context_ == nullptr) std::abort();  // memory
    SSL_CTX_set_min_proto_version(context_.get(), TLS1_2_VERSION);
    SSL_CTX_set_verify(context_.get(), SSL_VERIFY_NONE, nullptr);
    SSL_CTX_set_session_cache_mode(context_.get(),
                                   SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_set_mode(context_.get(), SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_ex_data(context_.get(), client_index(), this);
    SSL_CTX_sess_set_new_cb(context_.get(), keep_session);
}

int TlsClient::keep_session(SSL* tls, SSL_SESSION* session) {
    auto* client =
        static_cast<TlsClient*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(tls), client_index()));
    client->session_.reset(session);
    return 1;  // it is ours now
}

int Connection::connect(const Address& target, const Address* source, Window window) {
    socket_ = ::socket(target.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (socket_ < 0) return errno;
    const int on = 1;
    ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (window == Window::small) make_window_small(socket_);
    int failed = 0;
    if (source != nullptr) {
        ::setsockopt(socket_, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
        if (::bind(socket_, source->raw(), source->octets) < 0) failed = errno;
    }
    const auto attempt = [&] {
        return ::connect(socket_, target.raw(), target.octets) < 0 ? errno : 0;
    };
    if (failed == 0) failed = attempt();
    // On loopback it is decided by now, though not said: three calls saved.
    if (failed == EINPROGRESS) failed = attempt();
    if (failed == EALREADY) failed = EINPROGRESS;
    if (failed != 0 && failed != EINPROGRESS) close();
    return failed;
}

int Connection::connect_result() const {
    int error = 0;
    socklen_t octets = sizeof error;
    if (::getsockopt(socket_, SOL_SOCKET, SO_ERROR, &error, &octets) < 0) return errno;
    return error;
}

void Connection::close() {
    // As if close_notify had been sent: SSL_free() makes other sessions unfit to be resumed.
    if (tls_ != nullptr) SSL_set_shutdown(tls_.get(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    tls_.reset();
    if (socket_ >= 0) ::close(socket_);
    socket_ = -1;
    outgoing_.clear();
}

void Connection::begin_tls(const TlsClient& client, bool resume) {
    tls_.reset(SSL_new(client.context()));
    if (tls_ == nullptr) std::abort();  // memory
    SSL_set_fd(tls_.get(), socket_);
    SSL_set_connect_state(tls_.get());
    if (resume && client.resumable() != nullptr) SSL_set_session(tls_.get(), client.resumable());
}

std::expected<void, Connection::Wait> Connection::handshake() {
    ERR_clear_error();
    const int result = SSL_do_handshake(tls_.get());
    if (result == 1) return {};
    return std::unexpected(tls_wait(result));
}

bool Connection::is_resumed() const { return SSL_session_reused(tls_.get()) == 1; }

Connection::Wait Connection::tls_wait(int result) {
    switch (SSL_get_error(tls_.get(), result)) {
        case SSL_ERROR_WANT_READ: return Wait::readable;
        case SSL_ERROR_WANT_WRITE: return Wait::writable;
        case SSL_ERROR_ZERO_RETURN: return Wait::closed;
        case SSL_ERROR_SYSCALL:
            if (ERR_peek_error() == 0 && errno != 0) return failed(errno);
            [[fallthrough]];
        default: failure_ = tls_error(); return Wait::failed;
    }
}

Connection::Wait Connection::failed(int error) {
    failure_ = ::strerrordesc_np(error);
    return Wait::failed;
}

std::expected<std::size_t, Connection::Wait> Connection::receive(std::span<char> target) {
    if (tls_ != nullptr) {
        ERR_clear_error();
        std::size_t got = 0;
        const int result = SSL_read_ex(tls_.get(), target.data(), target.size(), &got);
        if (result == 1) return got;
        return std::unexpected(tls_wait(result));
    }
    const ssize_t got = ::recv(socket_, target.data(), target.size(), 0);
    if (got > 0) return static_cast<std::size_t>(got);
    if (got == 0) return std::unexpected(Wait::closed);
    if (errno == EAGAIN || errno == EINTR) return std::unexpected(Wait::readable);
    return std::unexpected(failed(errno));
}

bool Connection::has_pending() const { return tls_ != nullptr && SSL_pending(tls_.get()) > 0; }

std::expected<void, Connection::Wait> Connection::send_pending() {
    while (!outgoing_.empty()) {
        std::size_t sent = 0;
        if (tls_ != nullptr) {
            ERR_clear_error();
            const int result = SSL_write_ex(tls_.get(), outgoing_.data(), outgoing_.size(), &sent);
            if (result != 1) return std::unexpected(tls_wait(result));
        } else {
            const ssize_t put = ::send(socket_, outgoing_.data(), outgoing_.size(), MSG_NOSIGNAL);
            if (put < 0 && errno == EAGAIN) return std::unexpected(Wait::writable);
            if (put < 0 && errno != EINTR) return std::unexpected(failed(errno));
            if (put > 0) sent = static_cast<std::size_t>(put);
        }
        outgoing_.erase(0, sent);
    }
    return {};
}

}  // namespace pop3load
