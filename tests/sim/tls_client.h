#pragma once
/// The client's side of a TLS connection in memory: OpenSSL's own, with what a test wants of it.

#include <openssl/ssl.h>

#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace restante::sim {

struct TlsClientSettings {
    int min_version = TLS1_2_VERSION;  ///< older ones are offered with every cipher there is
    int max_version = TLS1_3_VERSION;
    std::string server_name = {};           ///< "" = no SNI
    std::string alpn = "pop3";              ///< "" = none offered
    std::string signature_algorithms = {};  ///< "" = OpenSSL's
    std::string ciphers = {};               ///< of TLS 1.2; "" = OpenSSL's
    std::string tls_1_3_ciphers = {};       ///< "" = OpenSSL's
    std::string groups = {};                ///< "" = OpenSSL's
    X509* certificate = nullptr;            ///< borrowed, with its key
    EVP_PKEY* key = nullptr;
    SSL_SESSION* session = nullptr;  ///< to be resumed; borrowed
    bool wants_staple = false;
};

/// What it gets is not verified: that the server's certificate is the right one is the test's to
/// look at.
class TlsClient {
public:
    explicit TlsClient(const TlsClientSettings& settings = {});
    TlsClient(const TlsClient&) = delete;
    TlsClient& operator=(const TlsClient&) = delete;
    ~TlsClient();

    void feed(std::span<const char> ciphertext);
    /// What is to be sent; it is forgotten here.
    std::string take_outgoing();

    /// Goes on with the handshake; true when it is done.
    bool handshake();
    /// All plaintext that came; tickets are taken in.
    std::string read();
    void write(std::string_view plaintext);
    void close();                                         ///< close_notify
    bool has_close_notify() const { return is_closed_; }  ///< the server's
    /// OpenSSL's words for what went wrong; "" = nothing.
    const std::string& failure() const { return failure_; }

    SSL* ssl() const { return ssl_; }
    std::string common_name() const;  ///< of the server's certificate
    std::string staple() const;       ///< DER; "" = none came
    /// For another client's settings; the caller frees it. After read(), in TLS 1.3.
    SSL_SESSION* take_session() const { return SSL_get1_session(ssl_); }

private:
    bool went_on(int result);

    SSL* ssl_;
    BIO* incoming_;  // both owned by ssl_
    BIO* outgoing_;
    std::string failure_;
    bool is_closed_ = false;
};

}  // namespace restante::sim
