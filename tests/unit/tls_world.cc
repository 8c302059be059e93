#include "unit/tls_world.h"

#include <doctest/doctest.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#include <chrono>
#include <fstream>

namespace restante {
namespace {

constexpr long day_seconds = 24 * 60 * 60;

std::string text_in(BIO* memory) {
    char* octets = nullptr;
    const long size = BIO_get_mem_data(memory, &octets);
    return {octets, static_cast<std::size_t>(size)};
}

/// RSA keys take long to find: tests take turns with a few.
KeyHandle make_key(KeyKind kind) {
    if (kind == KeyKind::ecdsa) return KeyHandle(EVP_EC_gen("P-256"));
    static const KeyHandle keys[] = {KeyHandle(EVP_RSA_gen(2048)), KeyHandle(EVP_RSA_gen(2048))};
    static std::size_t made = 0;
    EVP_PKEY* key = keys[made++ % 2].get();
    EVP_PKEY_up_ref(key);
    return KeyHandle(key);
}

void add_extension(X509* certificate, int kind, const std::string& value) {
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str());
    REQUIRE(extension != nullptr);
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
}

void set_name(X509_NAME* name, const std::string& common_name) {
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(common_name.data()),
                               static_cast<int>(common_name.size()), -1, 0);
}

}  // namespace

std::string Issued::certificate_pem() const {
    const BioHandle memory(BIO_new(BIO_s_mem()));
    PEM_write_bio_X509(memory.get(), certificate.get());
    return text_in(memory.get());
}

std::string Issued::key_pem() const {
    const BioHandle memory(BIO_new(BIO_s_mem()));
    PEM_write_bio_PrivateKey(memory.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr);
    return text_in(memory.get());
}

Issued make_certificate(const CertificateWish& wish, const Issued* issuer) {
    static long serial = 0;
    Issued issued{CertificateHandle(X509_new()), make_key(wish.kind)};
    X509* certificate = issued.certificate.get();
    X509_set_version(certificate, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(certificate), wish.first_day * day_seconds);
    X509_gmtime_adj(X509_getm_notAfter(certificate), wish.last_day * day_seconds);
    set_name(X509_get_subject_name(certificate), wish.common_name);
    X509_set_pubkey(certificate, issued.key.get());
    X509_set_issuer_name(
        certificate,
        X509_get_subject_name(issuer != nullptr ? issuer->certificate.get() : certificate));
    add_extension(certificate, NID_basic_constraints,
                  wish.is_issuer ? "critical,CA:TRUE" : "critical,CA:FALSE");
    if (!wish.alternative_names.empty()) {
        add_extension(certificate, NID_subject_alt_name, wish.alternative_names);
    }
    const int signature = X509_sign(
        certificate, issuer != nullptr ? issuer->key.get() : issued.key.get(), EVP_sha256());
    REQUIRE(signature > 0);
    return issued;
}

std::string make_staple(const Issued& subject, const Issued& issuer, const StapleWish& wish) {
    const OcspBasicHandle basic(OCSP_BASICRESP_new());
    const OcspIdHandle id(
        OCSP_cert_to_id(EVP_sha1(), subject.certificate.get(), issuer.certificate.get()));
    ASN1_TIME* from = X509_gmtime_adj(nullptr, wish.first_day * day_seconds);
    ASN1_TIME* to = X509_gmtime_adj(nullptr, wish.last_day * day_seconds);
    if (wish.is_good) {
        OCSP_basic_add1_status(basic.get(), id.get(), V_OCSP_CERTSTATUS_GOOD, 0, nullptr, from, to);
    } else {
        OCSP_basic_add1_status(basic.get(), id.get(), V_OCSP_CERTSTATUS_REVOKED,
                               OCSP_REVOKED_STATUS_KEYCOMPROMISE, from, from, to);
    }
    ASN1_TIME_free(from);
    ASN1_TIME_free(to);
    const Issued& signer = wish.signer != nullptr ? *wish.signer : issuer;
    const int is_signed = OCSP_basic_sign(basic.get(), signer.certificate.get(), signer.key.get(),
                                          EVP_sha256(), nullptr, 0);
    REQUIRE(is_signed == 1);
    const OcspResponseHandle response(
        OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic.get()));
    unsigned char* der = nullptr;
    const int size = i2d_OCSP_RESPONSE(response.get(), &der);
    REQUIRE(size > 0);
    std::string octets(reinterpret_cast<const char*>(der), static_cast<std::size_t>(size));
    OPENSSL_free(der);
    return octets;
}

WallTime wall_now() {
    const auto since = std::chrono::system_clock::now().time_since_epoch();
    return {std::chrono::duration_cast<std::chrono::nanoseconds>(since).count()};
}

WallTime days_from_now(int days) {
    return {wall_now().nanoseconds + days * day_seconds * 1'000'000'000};
}

TlsWorld::TlsWorld() {
    std::string folder = (std::filesystem::temp_directory_path() / "restante-tls-XXXXXX").string();
    REQUIRE(::mkdtemp(folder.data()) != nullptr);
    folder_ = folder;
    issuer_ = make_certificate({.common_name = "issuer.test", .is_issuer = true}, nullptr);
    settings_.pairs.push_back(pair("ecdsa", {.common_name = "ecdsa.test"}));
    settings_.pairs.push_back(pair("rsa", {.common_name = "rsa.test", .kind = KeyKind::rsa}));
}

TlsWorld::~TlsWorld() { std::filesystem::remove_all(folder_); }

std::string TlsWorld::write(std::string_view name, std::string_view octets) const {
    const std::string target = path(name);
    {
        std::ofstream file(target + ".new", std::ios::binary);
        file.write(octets.data(), static_cast<std::streamsize>(octets.size()));
    }
    std::filesystem::rename(target + ".new", target);  // another inode: seen as changed, always
    return target;
}

TlsPair TlsWorld::pair(const std::string& name, const CertificateWish& wish) const {
    return write_pair(name, make_certificate(wish, &issuer_));
}

TlsPair TlsWorld::write_pair(const std::string& name, const Issued& issued) const {
    const std::string chain = issued.certificate_pem() + issuer_.certificate_pem();
    return {write(name + ".pem", chain), write(name + ".key", issued.key_pem()), ""};
}

std::shared_ptr<const TlsContext> context_of(const TlsSettings& settings) {
    const auto made =
        TlsContext::make(settings, std::make_shared<TlsTicketKeys>(wall_now()), wall_now());
    REQUIRE_MESSAGE(made.has_value(), (made ? "" : made.error()));
    return made->context;
}

std::string refusal_of(const TlsSettings& settings) {
    const auto made =
        TlsContext::make(settings, std::make_shared<TlsTicketKeys>(wall_now()), wall_now());
    REQUIRE_FALSE(made.has_value());
    return made.error();
}

bool TlsTalk::shake() {
    bool is_done = client.handshake();
    for (int turns = 0; turns < 20; ++turns) {
        const std::string ciphertext = client.take_outgoing();
        if (ciphertext.empty() && server.outgoing().empty()) break;
        carry_to_server(ciphertext);
        carry_to_client();
        is_done = client.handshake();
    }
    client.read();  // tickets
    return is_done && status == TlsStatus::ready;
}

void TlsTalk::carry_to_server(std::string_view ciphertext) {
    while (!ciphertext.empty()) {
        const std::size_t taken = server.feed(ciphertext.substr(0, piece));
        if (taken == 0) return;  // it has failed
        ciphertext.remove_prefix(taken);
        serve();
    }
}

void TlsTalk::carry_to_client() {
    while (!server.outgoing().empty()) {
        const std::span<const char> octets = server.outgoing();
        const std::span<const char> sent = octets.first(std::min(piece, octets.size()));
        client.feed(sent);
        server.consumed(sent.size());
    }
}

void TlsTalk::serve() {
    if (!server.is_established()) status = server.handshake();
    char text[1000];
    while (server.is_established()) {
        const TlsRead read = server.read(text);
        if (read.status != TlsStatus::wants_input) status = read.status;
        if (read.status != TlsStatus::ready) return;
        received.append(text, read.octets);
    }
}

std::string TlsTalk::say(std::string_view text) {
    std::string heard;
    while (!text.empty()) {
        const std::size_t taken = server.write(text);
        if (taken == 0) return heard;
        text.remove_prefix(taken);
        carry_to_client();
        heard += client.read();
    }
    return heard;
}

std::string TlsTalk::ask(std::string_view text) {
    received.clear();
    client.write(text);
    carry_to_server(client.take_outgoing());
    return received;
}

}  // namespace restante
