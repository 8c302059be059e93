#include "net/tls_failure.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

namespace restante {
namespace {

struct Explanation {
    int reason;
    const char* text;
};

constexpr Explanation explanations[] = {
    {SSL_R_HTTP_REQUEST, "the client speaks HTTP"},
    {SSL_R_HTTPS_PROXY_REQUEST, "the client speaks HTTP"},
    {SSL_R_WRONG_VERSION_NUMBER, "what the client sends is not TLS"},
    {SSL_R_UNSUPPORTED_PROTOCOL, "the client offers no version of TLS that is allowed here"},
    {SSL_R_NO_SHARED_CIPHER, "the client offers no cipher that fits the certificate and the rules"},
    {SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM, "the client cannot check the kind of certificate"},
    {SSL_R_NO_SUITABLE_KEY_SHARE, "the client offers no group that is allowed here"},
    {SSL_R_NO_APPLICATION_PROTOCOL, "the client asks (ALPN) for another protocol than pop3"},
    {SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE, "client certificates are required"},
    {SSL_R_CERTIFICATE_VERIFY_FAILED, "the client's certificate is not valid"},
    {SSL_R_EXCESSIVE_MESSAGE_SIZE, "a message of the handshake is too long"},
    {SSL_R_SSLV3_ALERT_BAD_CERTIFICATE, "the client does not accept the certificate"},
    {SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE, "the client does not accept the certificate"},
    {SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED, "the client takes the certificate for expired"},
    {SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN, "the client does not accept the certificate"},
    {SSL_R_TLSV1_ALERT_UNKNOWN_CA, "the client does not trust the issuer of the certificate"},
};

const char* explanation_of(int reason) {
    for (const Explanation& row : explanations) {
        if (row.reason == reason) return row.text;
    }
    return nullptr;
}

}  // namespace

std::string take_tls_error() {
    // The first error is the cause, but libssl's own says more than what it met on the way.
    unsigned long cause = 0;
    while (const unsigned long error = ERR_get_error()) {
        const bool is_better =
            ERR_GET_LIB(error) == ERR_LIB_SSL && ERR_GET_LIB(cause) != ERR_LIB_SSL;
        if (cause == 0 || is_better) cause = error;
    }
    if (cause == 0) return "OpenSSL does not say why";
    const char* reason = ERR_reason_error_string(cause);
    std::string text = reason != nullptr ? reason : "error " + std::to_string(cause);
    const bool is_libssl = ERR_GET_LIB(cause) == ERR_LIB_SSL;
    if (const char* more = is_libssl ? explanation_of(ERR_GET_REASON(cause)) : nullptr) {
        text.append(": ").append(more);
    }
    return text;
}

}  // namespace restante
