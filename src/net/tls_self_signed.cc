#include "net/tls_self_signed.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <memory>

#include "base/free_with.h"
#include "net/tls_failure.h"
#include "net/tls_handles.h"

namespace restante {
namespace {

constexpr long valid_seconds = 30L * 24 * 60 * 60;
/// A clock that is behind ours must not find it not yet valid.
constexpr long backdated_seconds = 60L * 60;
constexpr int serial_bits = 127;

using NumberHandle = std::unique_ptr<BIGNUM, FreeWith<BN_free>>;

bool set_serial(X509* certificate) {
    const NumberHandle number(BN_new());
    return number && BN_rand(number.get(), serial_bits, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) == 1 &&
           BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) != nullptr;
}

bool set_names(X509* certificate) {
    X509_NAME* name = X509_get_subject_name(certificate);
    const auto* text = reinterpret_cast<const unsigned char*>("localhost");
    return X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, text, -1, -1, 0) == 1 &&
           X509_set_issuer_name(certificate, name) == 1;
}

bool add_extension(X509* certificate, int nid, const char* value) {
    const ExtensionHandle extension(X509V3_EXT_conf_nid(nullptr, nullptr, nid, value));
    return extension && X509_add_ext(certificate, extension.get(), -1) == 1;
}

/// Signed by its own key; nothing where OpenSSL failed.
CertificateHandle certificate_for(EVP_PKEY* key) {
    CertificateHandle certificate(X509_new());
    const bool is_made =
        certificate && X509_set_version(certificate.get(), X509_VERSION_3) == 1 &&
        set_serial(certificate.get()) && set_names(certificate.get()) &&
        X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -backdated_seconds) != nullptr &&
        X509_gmtime_adj(X509_getm_notAfter(certificate.get()), valid_seconds) != nullptr &&
        X509_set_pubkey(certificate.get(), key) == 1 &&
        add_extension(certificate.get(), NID_subject_alt_name,
                      "DNS:localhost,IP:127.0.0.1,IP:::1") &&
        // Clients that are given it as their authority want it to be one.
        add_extension(certificate.get(), NID_basic_constraints, "critical,CA:TRUE") &&
        X509_sign(certificate.get(), key, EVP_sha256()) != 0;
    return is_made ? std::move(certificate) : nullptr;
}

std::string content_of(BIO* memory) {
    char* octets = nullptr;
    const long count = BIO_get_mem_data(memory, &octets);
    return {octets, static_cast<std::size_t>(count)};
}

}  // namespace

std::expected<SelfSigned, std::string> make_self_signed() {
    const KeyHandle key(EVP_EC_gen("P-256"));
    const CertificateHandle certificate = key ? certificate_for(key.get()) : nullptr;
    const BioHandle first(BIO_new(BIO_s_mem()));
    const BioHandle second(BIO_new(BIO_s_secmem()));
    if (!certificate || !first || !second ||
        PEM_write_bio_X509(first.get(), certificate.get()) != 1 ||
        PEM_write_bio_PrivateKey(second.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) !=
            1) {
        return std::unexpected(take_tls_error());
    }
    return SelfSigned{content_of(first.get()), content_of(second.get())};
}

}  // namespace restante
