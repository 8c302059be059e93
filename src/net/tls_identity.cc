#include "net/tls_identity.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <array>
#include <string_view>

#include "net/tls_handles.h"

namespace restante {
namespace {

/// Longest user name taken from a certificate.
constexpr std::size_t user_octets_max = 255;

std::string_view text_of(const ASN1_STRING* string) {
    return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(string)),
            static_cast<std::size_t>(ASN1_STRING_length(string))};
}

/// A NUL inside is an old way to look like somebody else.
std::optional<std::string> as_user(std::string_view text) {
    if (text.empty() || text.size() > user_octets_max) return std::nullopt;
    if (text.find('\0') != std::string_view::npos) return std::nullopt;
    return std::string(text);
}

/// The first rfc822Name (RFC 5280 §4.2.1.6). Has `was_found` even where it is not fit for a user.
std::optional<std::string> mail_address_of(const X509* certificate, bool& was_found) {
    const GeneralNamesHandle names(static_cast<GENERAL_NAMES*>(
        X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
    ERR_clear_error();
    for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
        const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
        if (name->type != GEN_EMAIL) continue;
        was_found = true;
        return as_user(text_of(name->d.rfc822Name));
    }
    return std::nullopt;
}

/// The last, most specific one.
std::optional<std::string> common_name_of(const X509* certificate) {
    const X509_NAME* subject = X509_get_subject_name(certificate);
    int last = -1;
    for (int at = -1; (at = X509_NAME_get_index_by_NID(subject, NID_commonName, at)) >= 0;)
        last = at;
    if (last < 0) return std::nullopt;
    unsigned char* utf8 = nullptr;
    const ASN1_STRING* value = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, last));
    const int size = ASN1_STRING_to_UTF8(&utf8, value);
    ERR_clear_error();
    if (size < 0) return std::nullopt;
    std::optional<std::string> user =
        as_user({reinterpret_cast<const char*>(utf8), static_cast<std::size_t>(size)});
    OPENSSL_free(utf8);
    return user;
}

/// A resumed session has the certificate of the first one, which may have ended since.
bool is_over(const X509* certificate) {
    return X509_cmp_current_time(X509_get0_notAfter(certificate)) <= 0;
}

}  // namespace

bool can_export_binding(ssl_st* ssl) {
    return SSL_version(ssl) >= TLS1_3_VERSION || SSL_get_extms_support(ssl) == 1;
}

std::optional<std::string> tls_exporter_binding(ssl_st* ssl) {
    if (!can_export_binding(ssl)) return std::nullopt;
    static constexpr std::string_view label = "EXPORTER-Channel-Binding";
    constexpr std::size_t octets = 32;
    constexpr int has_context = 1;  // of length zero (RFC 9266 §2), which TLS 1.2 tells from none
    std::string binding(octets, '\0');
    const int made = SSL_export_keying_material(
        ssl, reinterpret_cast<unsigned char*>(binding.data()), octets, label.data(), label.size(),
        reinterpret_cast<const unsigned char*>(""), 0, has_context);
    ERR_clear_error();
    if (made != 1) return std::nullopt;
    return binding;
}

/// The first Finished message of the handshake (RFC 5929 §3.1): the server's where it was resumed.
std::optional<std::string> tls_unique_binding(ssl_st* ssl) {
    if (SSL_version(ssl) >= TLS1_3_VERSION || SSL_get_extms_support(ssl) != 1) return std::nullopt;
    std::array<char, EVP_MAX_MD_SIZE> finished;
    const bool is_own_first = SSL_session_reused(ssl) == 1;
    const std::size_t octets = is_own_first
                                   ? SSL_get_finished(ssl, finished.data(), finished.size())
                                   : SSL_get_peer_finished(ssl, finished.data(), finished.size());
    if (octets == 0) return std::nullopt;
    return std::string(finished.data(), octets);
}

/// RFC 5929 §4.1. Not of a resumed session: its ticket does not say which certificate the client
/// was shown.
std::optional<std::string> tls_server_end_point_binding(ssl_st* ssl) {
    const X509* certificate = SSL_get_certificate(ssl);
    if (certificate == nullptr || SSL_session_reused(ssl) == 1) return std::nullopt;
    int digest = NID_undef;
    if (OBJ_find_sigid_algs(X509_get_signature_nid(certificate), &digest, nullptr) != 1) {
        return std::nullopt;
    }
    if (digest == NID_md5 || digest == NID_sha1) digest = NID_sha256;
    const EVP_MD* method = EVP_get_digestbynid(digest);
    if (method == nullptr) return std::nullopt;  // the signature has no digest of its own: Ed25519
    std::array<unsigned char, EVP_MAX_MD_SIZE> hash;
    unsigned octets = 0;
    if (X509_digest(certificate, method, hash.data(), &octets) != 1) return std::nullopt;
    return std::string(hash.begin(), hash.begin() + octets);
}

std::optional<std::string> client_certificate_user(ssl_st* ssl) {
    const X509* certificate = SSL_get0_peer_certificate(ssl);
    if (certificate == nullptr || !client_certificate_fault(ssl).empty()) return std::nullopt;
    bool has_address = false;
    std::optional<std::string> user = mail_address_of(certificate, has_address);
    if (has_address) return user;
    return common_name_of(certificate);
}

std::string client_certificate_fault(ssl_st* ssl) {
    const X509* certificate = SSL_get0_peer_certificate(ssl);
    if (certificate == nullptr) return {};
    const long result = SSL_get_verify_result(ssl);
    if (result != X509_V_OK) return X509_verify_cert_error_string(result);
    if (is_over(certificate)) return X509_verify_cert_error_string(X509_V_ERR_CERT_HAS_EXPIRED);
    return {};
}

}  // namespace restante
