#pragma once
/// Owners of OpenSSL's objects: for src/net/tls_*.cc.

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/ocsp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>

namespace restante {

template <auto free_function>
struct TlsFree {
    template <class Object>
    void operator()(Object* object) const {
        free_function(object);
    }
};

inline void free_certificates(STACK_OF(X509) * certificates) {
    sk_X509_pop_free(certificates, X509_free);
}
inline void free_general_names(GENERAL_NAMES* names) { GENERAL_NAMES_free(names); }

using SslHandle = std::unique_ptr<SSL, TlsFree<SSL_free>>;
using SslContextHandle = std::unique_ptr<SSL_CTX, TlsFree<SSL_CTX_free>>;
using BioHandle = std::unique_ptr<BIO, TlsFree<BIO_free>>;
using CertificateHandle = std::unique_ptr<X509, TlsFree<X509_free>>;
using CertificatesHandle = std::unique_ptr<STACK_OF(X509), TlsFree<free_certificates>>;
using StoreHandle = std::unique_ptr<X509_STORE, TlsFree<X509_STORE_free>>;
using KeyHandle = std::unique_ptr<EVP_PKEY, TlsFree<EVP_PKEY_free>>;
using CipherHandle = std::unique_ptr<EVP_CIPHER, TlsFree<EVP_CIPHER_free>>;
using OcspResponseHandle = std::unique_ptr<OCSP_RESPONSE, TlsFree<OCSP_RESPONSE_free>>;
using OcspBasicHandle = std::unique_ptr<OCSP_BASICRESP, TlsFree<OCSP_BASICRESP_free>>;
using OcspIdHandle = std::unique_ptr<OCSP_CERTID, TlsFree<OCSP_CERTID_free>>;
using GeneralNamesHandle = std::unique_ptr<GENERAL_NAMES, TlsFree<free_general_names>>;

}  // namespace restante
