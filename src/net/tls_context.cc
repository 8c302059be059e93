#include "net/tls_context.h"

#include <fmt/format.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <ctime>
#include <map>

#include "base/assert.h"
#include "base/lower_case.h"
#include "net/tls_failure.h"
#include "net/tls_pair.h"
#include "net/tls_staple.h"

namespace restante {
namespace {

// Mozilla's guidelines 5.7, "intermediate"; the client's order counts.
constexpr const char* tls_1_2_ciphers =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:"
    "DHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES256-GCM-SHA384:DHE-RSA-CHACHA20-POLY1305";
constexpr const char* tls_1_3_ciphers =
    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
constexpr const char* groups = "X25519:P-256:P-384";

constexpr std::string_view alpn_protocol = "pop3";

constexpr std::size_t server_name_octets_max = 255;

/// One kind of key of one name.
struct Served {
    const X509* certificate;  // the SSL_CTX owns it
    Staple staple;
};

}  // namespace

struct TlsContext::Parts {
    /// What clients get that ask for one name, or for none that is known. Its address is its
    /// SSL_CTX's application data.
    struct Profile {
        const Parts& parts;
        SslContextHandle context;
        std::vector<Served> served;
        explicit Profile(const Parts& owner) : parts(owner) {}
    };

    Profile standard{*this};
    std::map<std::string, Profile, std::less<>> named;
    std::shared_ptr<const TlsTicketKeys> tickets;
    CipherHandle ticket_cipher;
    ClientCertificates client_certificates = ClientCertificates::none;
    StoreHandle client_issuers;
    std::string client_rules;  // who is admitted: part of what a session must have in common
    std::int64_t staples_end = INT64_MAX / 1'000'000'000;

    const Profile* find(std::string_view name) const;
    static const Profile& of(const SSL* ssl);
    std::expected<void, std::string> read_client_issuers(const TlsSettings& settings);
    std::expected<void, std::string> load(const TlsSettings& settings, WallTime now,
                                          std::vector<std::string>& warnings);
    std::expected<void, std::string> fill(Profile& profile, const std::vector<TlsPair>& pairs,
                                          WallTime now, std::vector<std::string>& warnings);
    bool make_context(Profile& profile, const TlsSettings& settings);
    bool ask_for_certificates(SSL_CTX* context);

    static int on_hello(SSL* ssl, int* alert, void* parts);
    static int on_server_name(SSL* ssl, int* alert, void* parts);
    static int on_alpn(SSL* ssl, const unsigned char** chosen, unsigned char* chosen_octets,
                       const unsigned char* offered, unsigned offered_octets, void* parts);
    static int on_status(SSL* ssl, void* parts);
    static int on_client_chain(X509_STORE_CTX* chain, void* parts);
    static int on_ticket(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher,
                         EVP_MAC_CTX* mac, int is_making);
};

namespace {

/// The name in the server_name extension (RFC 6066 §3), in lower case; "" where it holds none.
std::string server_name_of(SSL* ssl) {
    const unsigned char* octets = nullptr;
    std::size_t size = 0;
    if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &octets, &size) != 1) return {};
    // Octets of the list (2), kind (1), octets of the name (2), name.
    constexpr std::size_t head = 5;
    if (size < head || octets[2] != TLSEXT_NAMETYPE_host_name) return {};
    const std::size_t name_size = octets[3] * 256u + octets[4];
    if (name_size > size - head || name_size > server_name_octets_max) return {};
    return lower_case({reinterpret_cast<const char*>(octets) + head, name_size});
}

std::array<unsigned char, SHA256_DIGEST_LENGTH> sha256(std::string_view text) {
    std::array<unsigned char, SHA256_DIGEST_LENGTH> digest;
    SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
    return digest;
}

const char* kind_of(const X509* certificate) {
    const EVP_PKEY* key = X509_get0_pubkey(certificate);
    const char* name = key != nullptr ? EVP_PKEY_get0_type_name(key) : nullptr;
    if (name == nullptr) return "unknown";
    return std::strcmp(name, "EC") == 0 ? "ECDSA" : name;
}

bool is_for(const X509* certificate, const std::string& name) {
    auto* checked = const_cast<X509*>(certificate);  // X509_check_host() caches what it reads
    return X509_check_host(checked, name.data(), name.size(), 0, nullptr) == 1;
}

std::expected<void, std::string> use_pair(SSL_CTX* context, const TlsPair& pair,
                                          const LoadedPair& loaded) {
    ERR_clear_error();
    constexpr int replaces = 0;
    if (SSL_CTX_use_cert_and_key(context, loaded.certificate.get(), loaded.key.get(),
                                 loaded.chain.get(), replaces) == 1) {
        return {};
    }
    if (ERR_GET_REASON(ERR_peek_last_error()) == SSL_R_NOT_REPLACING_CERTIFICATE) {
        ERR_clear_error();
        return std::unexpected(
            fmt::format("TLS certificate {}: a second one with an {} key for the same name; give "
                        "one for each kind of key",
                        pair.certificate, kind_of(loaded.certificate.get())));
    }
    return std::unexpected(fmt::format("TLS certificate {}: refused: {}; make a new one",
                                       pair.certificate, take_tls_error()));
}

}  // namespace

const TlsContext::Parts::Profile* TlsContext::Parts::find(std::string_view name) const {
    if (name.empty()) return nullptr;
    auto found = named.find(name);
    const std::size_t dot = name.find('.');
    if (found == named.end() && dot != std::string_view::npos && dot > 0) {
        found = named.find("*" + std::string(name.substr(dot)));
    }
    return found == named.end() ? nullptr : &found->second;
}

const TlsContext::Parts::Profile& TlsContext::Parts::of(const SSL* ssl) {
    return *static_cast<const Profile*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
}

/// Chooses the certificates, and says which sessions may be resumed: those that began with the same
/// name under the same rules for client certificates.
int TlsContext::Parts::on_hello(SSL* ssl, int*, void* parts) {
    const auto& self = *static_cast<const Parts*>(parts);
    const std::string name = server_name_of(ssl);
    if (const Profile* profile = self.find(name)) SSL_set_SSL_CTX(ssl, profile->context.get());
    const std::string common = "restante pop3\n" + self.client_rules + "\n" + name;
    const std::array<unsigned char, SHA256_DIGEST_LENGTH> digest = sha256(common);
    static_assert(digest.size() <= SSL_MAX_SID_CTX_LENGTH);
    const int is_set = SSL_set_session_id_context(ssl, digest.data(), digest.size());
    return is_set == 1 ? SSL_CLIENT_HELLO_SUCCESS : SSL_CLIENT_HELLO_ERROR;
}

int TlsContext::Parts::on_server_name(SSL* ssl, int*, void* parts) {
    const auto& self = *static_cast<const Parts*>(parts);
    const bool is_known = SSL_get_SSL_CTX(ssl) != self.standard.context.get();
    return is_known ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

int TlsContext::Parts::on_alpn(SSL*, const unsigned char** chosen, unsigned char* chosen_octets,
                               const unsigned char* offered, unsigned offered_octets, void*) {
    for (unsigned at = 0; at < offered_octets; at += 1u + offered[at]) {
        const std::string_view protocol(reinterpret_cast<const char*>(offered) + at + 1,
                                        offered[at]);
        if (protocol != alpn_protocol) continue;
        *chosen = offered + at + 1;
        *chosen_octets = offered[at];
        return SSL_TLSEXT_ERR_OK;
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL;  // no_application_protocol (RFC 7301 §3.2)
}

/// Time is the system's, as OpenSSL's own for tickets and certificates: a ring is not at hand.
int TlsContext::Parts::on_status(SSL* ssl, void*) {
    const X509* certificate = SSL_get_certificate(ssl);
    for (const Served& served : of(ssl).served) {
        const std::vector<unsigned char>& der = served.staple.der;
        if (served.certificate != certificate || der.empty()) continue;
        if (std::time(nullptr) >= served.staple.end) break;
        void* copy = OPENSSL_memdup(der.data(), der.size());
        if (copy == nullptr) break;
        SSL_set_tlsext_status_ocsp_resp(ssl, copy, static_cast<long>(der.size()));
        return SSL_TLSEXT_ERR_OK;
    }
    return SSL_TLSEXT_ERR_NOACK;
}

/// Leaves the first thing that is wrong as the session's verify result; where certificates are
/// asked for but not required, the connection goes on and the client has no name.
int TlsContext::Parts::on_client_chain(X509_STORE_CTX* chain, void* parts) {
    const auto& self = *static_cast<const Parts*>(parts);
    const bool is_valid = X509_verify_cert(chain) == 1;
    ERR_clear_error();
    if (!is_valid && X509_STORE_CTX_get_error(chain) == X509_V_OK) {
        X509_STORE_CTX_set_error(chain, X509_V_ERR_UNSPECIFIED);
    }
    return is_valid || self.client_certificates != ClientCertificates::require ? 1 : 0;
}

/// 0: a full handshake; 1: resumed; 2: resumed, with a new ticket, because this one's key is old or
/// because in TLS 1.3 a ticket is used once (RFC 8446 §C.4). Negative: fails.
int TlsContext::Parts::on_ticket(SSL* ssl, unsigned char* name, unsigned char* iv,
                                 EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac, int is_making) {
    const Parts& self = of(ssl).parts;
    const std::shared_ptr<const TlsTicketKeyRing> ring = self.tickets->current();
    const TlsTicketKey* key = is_making ? &ring->newest() : ring->find(name);
    if (key == nullptr) return 0;
    char digest[] = "SHA256";
    const OSSL_PARAM mac_settings[] = {
        OSSL_PARAM_construct_octet_string(
            OSSL_MAC_PARAM_KEY, const_cast<unsigned char*>(key->mac.data()), key->mac.size()),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end()};
    if (EVP_MAC_CTX_set_params(mac, mac_settings) != 1) return -1;
    const EVP_CIPHER* method = self.ticket_cipher.get();
    if (is_making) {
        std::memcpy(name, key->name.data(), key->name.size());
        if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(method)) != 1) return -1;
        return EVP_EncryptInit_ex2(cipher, method, key->cipher.data(), iv, nullptr) == 1 ? 1 : -1;
    }
    if (EVP_DecryptInit_ex2(cipher, method, key->cipher.data(), iv, nullptr) != 1) return -1;
    return key != &ring->newest() || SSL_version(ssl) == TLS1_3_VERSION ? 2 : 1;
}

bool TlsContext::Parts::ask_for_certificates(SSL_CTX* context) {
    if (client_certificates == ClientCertificates::none) return true;
    int mode = SSL_VERIFY_PEER | SSL_VERIFY_CLIENT_ONCE;
    if (client_certificates == ClientCertificates::require) mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    SSL_CTX_set_verify(context, mode, nullptr);
    SSL_CTX_set_cert_verify_callback(context, on_client_chain, this);
    SSL_CTX_set1_cert_store(context, client_issuers.get());
    STACK_OF(X509_NAME)* names = sk_X509_NAME_new_null();
    STACK_OF(X509_OBJECT)* issuers = X509_STORE_get0_objects(client_issuers.get());
    for (int i = 0; i < sk_X509_OBJECT_num(issuers); ++i) {
        const X509* issuer = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(issuers, i));
        if (issuer != nullptr)
            sk_X509_NAME_push(names, X509_NAME_dup(X509_get_subject_name(issuer)));
    }
    SSL_CTX_set_client_CA_list(context, names);
    return true;
}

/// The same rules for every name: OpenSSL takes some from the context that a connection began with
/// and some from the one that its name led to. All that the system's openssl.cnf may say is set.
bool TlsContext::Parts::make_context(Profile& profile, const TlsSettings& settings) {
    profile.context.reset(SSL_CTX_new(TLS_server_method()));
    SSL_CTX* context = profile.context.get();
    if (context == nullptr) return false;
    const int oldest =
        settings.min_version == TlsVersion::tls_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION;
    bool is_set = SSL_CTX_set_min_proto_version(context, oldest) == 1;
    is_set = is_set && SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION) == 1;
    is_set = is_set && SSL_CTX_set_cipher_list(context, tls_1_2_ciphers) == 1;
    is_set = is_set && SSL_CTX_set_ciphersuites(context, tls_1_3_ciphers) == 1;
    is_set = is_set && SSL_CTX_set1_groups_list(context, groups) == 1;
    is_set = is_set && SSL_CTX_set_dh_auto(context, 1) == 1;
    SSL_CTX_clear_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_NO_TICKET |
                                       SSL_OP_ALLOW_UNSAFE_LEGACY_RENEGOTIATION |
                                       SSL_OP_ALLOW_CLIENT_RENEGOTIATION | SSL_OP_ENABLE_KTLS);
    SSL_CTX_set_options(context,
                        SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CLEANSE_PLAINTEXT);
    // No chain is built from the store: it holds the clients' issuers, not the server's.
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN |
                                  SSL_MODE_ENABLE_PARTIAL_WRITE |
                                  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_max_cert_list(context, tls_client_chain_octets_max);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_timeout(context, tls_ticket_lifetime.count());
    SSL_CTX_set_num_tickets(context, 1);  // a client of POP3 has one connection at a time
    SSL_CTX_set_tlsext_ticket_key_evp_cb(context, on_ticket);
    SSL_CTX_set_client_hello_cb(context, on_hello, this);
    SSL_CTX_set_tlsext_servername_callback(context, on_server_name);
    SSL_CTX_set_tlsext_servername_arg(context, this);
    SSL_CTX_set_alpn_select_cb(context, on_alpn, this);
    SSL_CTX_set_tlsext_status_cb(context, on_status);
    SSL_CTX_set_app_data(context, &profile);
    return is_set && ask_for_certificates(context);
}

std::expected<void, std::string> TlsContext::Parts::read_client_issuers(
    const TlsSettings& settings) {
    client_certificates = settings.client_certificates;
    client_rules = "none";
    if (client_certificates == ClientCertificates::none) return {};
    constexpr std::string_view what = "TLS client CA";
    const std::expected<Secret, std::string> pem = read_tls_file(what, settings.client_ca);
    if (!pem) return std::unexpected(pem.error());
    const std::expected<CertificatesHandle, std::string> certificates =
        parse_certificates(what, settings.client_ca, *pem);
    if (!certificates) return std::unexpected(certificates.error());
    client_issuers.reset(X509_STORE_new());
    for (int i = 0; i < sk_X509_num(certificates->get()); ++i) {
        X509_STORE_add_cert(client_issuers.get(), sk_X509_value(certificates->get(), i));
    }
    ERR_clear_error();
    const bool is_required = client_certificates == ClientCertificates::require;
    const std::array<unsigned char, SHA256_DIGEST_LENGTH> digest = sha256(pem->text());
    client_rules = is_required ? "require" : "ask";
    client_rules.append(digest.begin(), digest.end());
    return {};
}

std::expected<void, std::string> TlsContext::Parts::fill(Profile& profile,
                                                         const std::vector<TlsPair>& pairs,
                                                         WallTime now,
                                                         std::vector<std::string>& warnings) {
    for (const TlsPair& pair : pairs) {
        const std::expected<LoadedPair, std::string> loaded = load_pair(pair, now, warnings);
        if (!loaded) return std::unexpected(loaded.error());
        const std::expected<void, std::string> used =
            use_pair(profile.context.get(), pair, *loaded);
        if (!used) return used;
        Served served{loaded->certificate.get(), {}};
        if (!pair.ocsp.empty()) {
            std::expected<Staple, std::string> staple = load_staple(pair.ocsp, *loaded, now);
            if (staple) {
                served.staple = std::move(*staple);
                staples_end = std::min(staples_end, served.staple.end);
            } else {
                warnings.push_back(staple.error());
            }
        }
        profile.served.push_back(std::move(served));
    }
    return {};
}

std::expected<void, std::string> TlsContext::Parts::load(const TlsSettings& settings, WallTime now,
                                                         std::vector<std::string>& warnings) {
    const std::unexpected<std::string> no_context("TLS: OpenSSL does not start: check its version");
    const std::expected<void, std::string> issuers = read_client_issuers(settings);
    if (!issuers) return issuers;
    ticket_cipher.reset(EVP_CIPHER_fetch(nullptr, "AES-256-CBC", nullptr));
    if (ticket_cipher == nullptr || !make_context(standard, settings)) return no_context;
    const std::expected<void, std::string> filled = fill(standard, settings.pairs, now, warnings);
    if (!filled) return filled;
    for (const TlsName& name : settings.names) {
        Profile& profile = named.try_emplace(lower_case(name.name), *this).first->second;
        if (profile.context != nullptr) {
            return std::unexpected(fmt::format("TLS name {}: given twice; keep one", name.name));
        }
        if (!make_context(profile, settings)) return no_context;
        const std::expected<void, std::string> name_filled =
            fill(profile, name.pairs, now, warnings);
        if (!name_filled) return name_filled;
        for (const Served& served : profile.served) {
            if (name.name.starts_with('*') || is_for(served.certificate, name.name)) continue;
            warnings.push_back(fmt::format(
                "TLS name {}: its {} certificate is not for that name: clients will refuse it",
                name.name, kind_of(served.certificate)));
        }
    }
    return {};
}

TlsContext::TlsContext(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
TlsContext::~TlsContext() = default;

std::expected<TlsContext::Made, std::string> TlsContext::make(
    const TlsSettings& settings, std::shared_ptr<const TlsTicketKeys> tickets, WallTime now) {
    auto parts = std::make_unique<Parts>();
    parts->tickets = std::move(tickets);
    Made made;
    const std::expected<void, std::string> loaded = parts->load(settings, now, made.warnings);
    ERR_clear_error();
    if (!loaded) return std::unexpected(loaded.error());
    made.context.reset(new TlsContext(std::move(parts)));
    return made;
}

ClientCertificates TlsContext::client_certificates() const { return parts_->client_certificates; }

WallTime TlsContext::staples_end() const { return {parts_->staples_end * 1'000'000'000}; }

ssl_st* TlsContext::new_connection() const {
    SSL* ssl = SSL_new(parts_->standard.context.get());
    if (ssl != nullptr) SSL_set_accept_state(ssl);
    return ssl;
}

}  // namespace restante
