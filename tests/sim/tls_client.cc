#include "sim/tls_client.h"

#include <openssl/err.h>

#include "base/assert.h"

namespace restante::sim {
namespace {

/// Takes long to make.
SSL_CTX* shared_context() {
    static SSL_CTX* const only = SSL_CTX_new(TLS_client_method());
    return only;
}

void set_up(SSL* ssl, const TlsClientSettings& settings) {
    SSL_set_min_proto_version(ssl, settings.min_version);
    SSL_set_max_proto_version(ssl, settings.max_version);
    if (settings.min_version < TLS1_2_VERSION) {
        SSL_set_security_level(ssl, 0);
        SSL_set_cipher_list(ssl, "ALL");
    }
    if (!settings.ciphers.empty()) SSL_set_cipher_list(ssl, settings.ciphers.c_str());
    if (!settings.tls_1_3_ciphers.empty()) {
        SSL_set_ciphersuites(ssl, settings.tls_1_3_ciphers.c_str());
    }
    if (!settings.groups.empty()) SSL_set1_groups_list(ssl, settings.groups.c_str());
    if (!settings.signature_algorithms.empty()) {
        const int set = SSL_set1_sigalgs_list(ssl, settings.signature_algorithms.c_str());
        ASSERT(set == 1);
    }
    if (settings.certificate == nullptr) return;
    SSL_use_certificate(ssl, settings.certificate);
    const int is_pair = SSL_use_PrivateKey(ssl, settings.key);
    ASSERT(is_pair == 1);
}

}  // namespace

TlsClient::TlsClient(const TlsClientSettings& settings)
    : ssl_(SSL_new(shared_context())),
      incoming_(BIO_new(BIO_s_mem())),
      outgoing_(BIO_new(BIO_s_mem())) {
    set_up(ssl_, settings);
    SSL_set_bio(ssl_, incoming_, outgoing_);
    SSL_set_connect_state(ssl_);
    if (!settings.server_name.empty()) {
        SSL_set_tlsext_host_name(ssl_, settings.server_name.c_str());
    }
    if (!settings.alpn.empty()) {
        const std::string list = static_cast<char>(settings.alpn.size()) + settings.alpn;
        SSL_set_alpn_protos(ssl_, reinterpret_cast<const unsigned char*>(list.data()),
                            static_cast<unsigned>(list.size()));
    }
    if (settings.wants_staple) SSL_set_tlsext_status_type(ssl_, TLSEXT_STATUSTYPE_ocsp);
    if (settings.session != nullptr) SSL_set_session(ssl_, settings.session);
}

TlsClient::~TlsClient() {
    SSL_set_shutdown(ssl_, SSL_SENT_SHUTDOWN);  // else its session would not be resumed any more
    SSL_free(ssl_);
}

void TlsClient::feed(std::span<const char> ciphertext) {
    if (ciphertext.empty()) return;
    BIO_write(incoming_, ciphertext.data(), static_cast<int>(ciphertext.size()));
}

std::string TlsClient::take_outgoing() {
    std::string octets(BIO_ctrl_pending(outgoing_), '\0');
    if (!octets.empty()) BIO_read(outgoing_, octets.data(), static_cast<int>(octets.size()));
    return octets;
}

bool TlsClient::handshake() {
    if (SSL_is_init_finished(ssl_)) return true;
    ERR_clear_error();
    return failure_.empty() && went_on(SSL_do_handshake(ssl_));
}

std::string TlsClient::read() {
    std::string text;
    char piece[4096];
    while (true) {
        ERR_clear_error();
        const int got = SSL_read(ssl_, piece, sizeof piece);
        if (!went_on(got)) return text;
        text.append(piece, static_cast<std::size_t>(got));
    }
}

void TlsClient::write(std::string_view plaintext) {
    const int written = SSL_write(ssl_, plaintext.data(), static_cast<int>(plaintext.size()));
    ASSERT(written == static_cast<int>(plaintext.size()));
}

void TlsClient::close() { SSL_shutdown(ssl_); }

bool TlsClient::went_on(int result) {
    if (result > 0) return true;
    const int error = SSL_get_error(ssl_, result);
    if (error == SSL_ERROR_ZERO_RETURN) is_closed_ = true;
    if (error == SSL_ERROR_SSL || error == SSL_ERROR_SYSCALL) {
        const char* reason = ERR_reason_error_string(ERR_peek_error());
        failure_ = reason != nullptr ? reason : "unknown";
    }
    return false;
}

std::string TlsClient::common_name() const {
    const X509* certificate = SSL_get0_peer_certificate(ssl_);
    if (certificate == nullptr) return {};
    char name[256];
    X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, name,
                              sizeof name);
    return name;
}

std::string TlsClient::staple() const {
    const unsigned char* octets = nullptr;
    const long size = SSL_get_tlsext_status_ocsp_resp(ssl_, &octets);
    if (octets == nullptr || size <= 0) return {};
    return {reinterpret_cast<const char*>(octets), static_cast<std::size_t>(size)};
}

}  // namespace restante::sim
