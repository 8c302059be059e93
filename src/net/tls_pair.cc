#include "net/tls_pair.h"

#include <errno.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <pwd.h>
#include <sys/stat.h>
#include <time.h>

#include <cstring>

#include "base/fd.h"
#include "net/tls_context.h"
#include "net/tls_failure.h"

namespace restante {
namespace {

std::string user_name() {
    passwd entry{};
    passwd* found = nullptr;
    char text[1024];
    ::getpwuid_r(::geteuid(), &entry, text, sizeof text, &found);
    return found != nullptr ? entry.pw_name : "with the uid " + std::to_string(::geteuid());
}

std::string cure_of(int error, const std::string& path) {
    if (error == ENOENT) return "check the path in the configuration";
    if (error == EACCES || error == EPERM) {
        return fmt::format(
            "it must be readable by the user {} that the server runs as, e.g.: setfacl -m u:{}:r "
            "{}",
            user_name(), user_name(), path);
    }
    if (error == EMFILE || error == ENFILE) return "raise the limit of open files";
    return "it must be a readable regular file";
}

std::string unreadable(std::string_view what, const std::string& path, int error) {
    return fmt::format("{} {}: {}; {}", what, path, std::strerror(error), cure_of(error, path));
}

/// Asked for a pass phrase: there is nobody to ask.
int note_encrypted(char*, int, int, void* was_asked) {
    *static_cast<bool*>(was_asked) = true;
    return -1;
}

BioHandle reader_of(const Secret& pem) {
    return BioHandle(BIO_new_mem_buf(pem.text().data(), static_cast<int>(pem.text().size())));
}

std::expected<KeyHandle, std::string> load_key(const std::string& path) {
    std::expected<Secret, std::string> pem = read_tls_file("TLS key", path);
    if (!pem) return std::unexpected(pem.error());
    ERR_clear_error();
    const BioHandle reader = reader_of(*pem);
    bool is_encrypted = false;
    KeyHandle key(PEM_read_bio_PrivateKey(reader.get(), nullptr, note_encrypted, &is_encrypted));
    if (key) return key;
    if (is_encrypted) {
        ERR_clear_error();
        return std::unexpected(
            fmt::format("TLS key {}: it is encrypted, and the server cannot ask for its pass "
                        "phrase; decrypt it with: openssl pkey -in {} -out FILE",
                        path, path));
    }
    return std::unexpected(
        fmt::format("TLS key {}: no private key in PEM format in it ({})", path, take_tls_error()));
}

/// What will make clients refuse it, but is no reason to serve nobody.
void warn_of_dates(const std::string& path, const X509* certificate, WallTime now,
                   std::vector<std::string>& warnings) {
    const std::int64_t seconds = now.nanoseconds / 1'000'000'000;
    const std::int64_t from = seconds_of(X509_get0_notBefore(certificate));
    const std::int64_t to = seconds_of(X509_get0_notAfter(certificate));
    if (seconds < from) {
        warnings.push_back(fmt::format(
            "TLS certificate {}: not valid before {}: clients will refuse it; check the clock",
            path, date_of(from)));
    } else if (seconds > to) {
        warnings.push_back(
            fmt::format("TLS certificate {}: expired on {}: clients will refuse it; renew it", path,
                        date_of(to)));
    } else if (seconds + tls_expiry_warning.count() > to) {
        warnings.push_back(
            fmt::format("TLS certificate {}: expires on {}; renew it", path, date_of(to)));
    }
}

}  // namespace

std::expected<Secret, std::string> read_tls_file(std::string_view what, const std::string& path) {
    // O_NONBLOCK: a FIFO is refused below, not waited for.
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return std::unexpected(unreadable(what, path, errno));
    const Fd file(fd);
    struct stat status {};
    if (::fstat(fd, &status) != 0) return std::unexpected(unreadable(what, path, errno));
    if (!S_ISREG(status.st_mode)) return std::unexpected(unreadable(what, path, EINVAL));
    std::string octets(tls_file_octets_max + 1, '\0');
    std::size_t size = 0;
    while (size < octets.size()) {
        const ssize_t got = ::read(fd, octets.data() + size, octets.size() - size);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) {
            const int error = errno;
            wipe(octets);
            return std::unexpected(unreadable(what, path, error));
        }
        if (got == 0) break;
        size += static_cast<std::size_t>(got);
    }
    Secret content(std::string_view(octets).substr(0, size));
    wipe(octets);
    if (size <= tls_file_octets_max) return content;
    return std::unexpected(
        fmt::format("{} {}: larger than 1 MiB; is it the right file?", what, path));
}

std::expected<CertificatesHandle, std::string> parse_certificates(std::string_view what,
                                                                  const std::string& path,
                                                                  const Secret& pem) {
    ERR_clear_error();
    const BioHandle reader = reader_of(pem);
    CertificatesHandle certificates(sk_X509_new_null());
    while (X509* certificate = PEM_read_bio_X509_AUX(reader.get(), nullptr, nullptr, nullptr)) {
        sk_X509_push(certificates.get(), certificate);
    }
    const unsigned long error = ERR_peek_last_error();
    const bool is_end =
        ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
    if (!is_end) {
        return std::unexpected(fmt::format("{} {}: certificate {} in it is damaged ({})", what,
                                           path, sk_X509_num(certificates.get()) + 1,
                                           take_tls_error()));
    }
    ERR_clear_error();
    if (sk_X509_num(certificates.get()) > 0) return certificates;
    return std::unexpected(fmt::format(
        "{} {}: no certificate in PEM format in it; is it the right file?", what, path));
}

std::expected<LoadedPair, std::string> load_pair(const TlsPair& pair, WallTime now,
                                                 std::vector<std::string>& warnings) {
    std::expected<Secret, std::string> pem = read_tls_file("TLS certificate", pair.certificate);
    if (!pem) return std::unexpected(pem.error());
    std::expected<CertificatesHandle, std::string> certificates =
        parse_certificates("TLS certificate", pair.certificate, *pem);
    if (!certificates) return std::unexpected(certificates.error());
    std::expected<KeyHandle, std::string> key = load_key(pair.key);
    if (!key) return std::unexpected(key.error());
    LoadedPair loaded;
    loaded.certificate.reset(sk_X509_shift(certificates->get()));
    loaded.chain = std::move(*certificates);
    loaded.key = std::move(*key);
    if (X509_check_private_key(loaded.certificate.get(), loaded.key.get()) != 1) {
        ERR_clear_error();
        return std::unexpected(
            fmt::format("TLS key {}: it does not match the certificate {}, or the server's is not "
                        "the first there; use the files of one renewal",
                        pair.key, pair.certificate));
    }
    warn_of_dates(pair.certificate, loaded.certificate.get(), now, warnings);
    return loaded;
}

std::int64_t seconds_of(const ASN1_TIME* time) {
    tm parts{};
    if (time == nullptr || ASN1_TIME_to_tm(time, &parts) != 1) return 0;
    return ::timegm(&parts);
}

std::string date_of(std::int64_t seconds) {
    const time_t time = seconds;
    tm parts{};
    ::gmtime_r(&time, &parts);
    return fmt::format("{:04}-{:02}-{:02}", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday);
}

}  // namespace restante
