#include "sim/office_certificates.h"

#include <openssl/pem.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/assert.h"
#include "net/tls_handles.h"

namespace restante::sim {
namespace {

constexpr std::size_t pairs = 2;
constexpr std::uint64_t key_seed = 0x0FF1CE;

void write_all(int file, BIO* memory) {
    char* octets = nullptr;
    const long size = BIO_get_mem_data(memory, &octets);
    const ssize_t written = ::write(file, octets, static_cast<std::size_t>(size));
    ASSERT(written == size);
}

/// A file without a name, for as long as the process lives.
std::string path_of(int file) {
    ASSERT(file >= 0);
    return "/proc/self/fd/" + std::to_string(file);
}

/// Ed25519, since signatures of ECDSA differ in length: what is signed differs in each run, as the
/// real time is in the tickets that clients show.
CertificateHandle certificate_of(EVP_PKEY* key, const std::string& name) {
    CertificateHandle made(X509_new());
    X509* const certificate = made.get();
    X509_set_version(certificate, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1'000'001);
    ASN1_TIME_set_string(X509_getm_notBefore(certificate), "20000101000000Z");
    ASN1_TIME_set_string(X509_getm_notAfter(certificate), "20491231235959Z");
    X509_NAME* subject = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
    X509_set_issuer_name(certificate, subject);
    X509_set_pubkey(certificate, key);
    const int signed_octets = X509_sign(certificate, key, nullptr);
    ASSERT(signed_octets > 0);
    return made;
}

std::string name_of_pair(std::size_t at) {
    return std::string(1 + 40 * at, 'p') + ".example.org";  // certificates of two lengths
}

TlsPair make_pair(std::size_t at) {
    const KeyHandle key(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
    const CertificateHandle certificate = certificate_of(key.get(), name_of_pair(at));
    const BioHandle first(BIO_new(BIO_s_mem()));
    const BioHandle second(BIO_new(BIO_s_mem()));
    PEM_write_bio_X509(first.get(), certificate.get());
    PEM_write_bio_PrivateKey(second.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr);
    const int certificate_file = ::memfd_create("certificate", MFD_CLOEXEC);
    const int key_file = ::memfd_create("key", MFD_CLOEXEC);
    write_all(certificate_file, first.get());
    write_all(key_file, second.get());
    return {path_of(certificate_file), path_of(key_file), ""};
}

using Pairs = std::array<TlsPair, pairs>;

Pairs make_pairs() {
    const SimTlsRandom random(key_seed);
    Pairs made;
    for (std::size_t at = 0; at < pairs; ++at) made[at] = make_pair(at);
    return made;
}

const Pairs& all_pairs() {
    static const Pairs made = make_pairs();
    return made;
}

TlsSettings settings_of(const TlsPair& pair) {
    TlsSettings settings;
    settings.pairs.push_back(pair);
    return settings;
}

}  // namespace

OfficeCertificates::OfficeCertificates(std::uint64_t seed)
    : random_((all_pairs(), seed)), names_{name_of_pair(0)} {
    auto opened = TlsCertificates::open(settings_of(all_pairs()[0]), WallTime{});
    ASSERT(opened.has_value());
    certificates_ = std::move(opened->certificates);
}

void OfficeCertificates::replace(WallTime now) {
    const std::size_t at = names_.size() % pairs;
    certificates_->reload(settings_of(all_pairs()[at]), now);
    names_.push_back(name_of_pair(at));
}

void OfficeCertificates::spoil(WallTime now) {
    certificates_->reload(settings_of({all_pairs()[0].certificate, all_pairs()[1].key, ""}), now);
}

bool OfficeCertificates::was_in_force_since(std::size_t moment,
                                            std::string_view common_name) const {
    return std::find(names_.begin() + static_cast<std::ptrdiff_t>(moment), names_.end(),
                     common_name) != names_.end();
}

}  // namespace restante::sim
