#include "net/tls_staple.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/x509_vfy.h>

#include "net/tls_failure.h"

namespace restante {
namespace {

/// How far ahead the responder's clock may be, in seconds.
constexpr std::int64_t clock_skew_max = 300;

std::unexpected<std::string> not_sent(const std::string& path, std::string_view cause) {
    return std::unexpected(fmt::format(
        "OCSP response {}: {}: none is stapled; fetch a new one from the issuer", path, cause));
}

X509* issuer_of(const LoadedPair& pair) {
    for (int i = 0; i < sk_X509_num(pair.chain.get()); ++i) {
        X509* candidate = sk_X509_value(pair.chain.get(), i);
        if (X509_check_issued(candidate, pair.certificate.get()) == X509_V_OK) return candidate;
    }
    return nullptr;
}

bool is_about(const OCSP_CERTID* id, const LoadedPair& pair, const X509* issuer) {
    ASN1_OBJECT* digest = nullptr;
    ASN1_INTEGER* serial = nullptr;
    auto* readable = const_cast<OCSP_CERTID*>(id);  // OCSP_id_get0_info() only reads
    if (OCSP_id_get0_info(nullptr, &digest, nullptr, &serial, readable) != 1) return false;
    if (ASN1_INTEGER_cmp(serial, X509_get0_serialNumber(pair.certificate.get())) != 0) return false;
    if (issuer == nullptr) return true;
    const EVP_MD* method = EVP_get_digestbyobj(digest);
    if (method == nullptr) return false;
    const OcspIdHandle own(OCSP_cert_to_id(method, pair.certificate.get(), issuer));
    return own != nullptr && OCSP_id_cmp(own.get(), id) == 0;
}

OCSP_SINGLERESP* answer_about(OCSP_BASICRESP* basic, const LoadedPair& pair, const X509* issuer) {
    for (int i = 0; i < OCSP_resp_count(basic); ++i) {
        OCSP_SINGLERESP* answer = OCSP_resp_get0(basic, i);
        if (is_about(OCSP_SINGLERESP_get0_id(answer), pair, issuer)) return answer;
    }
    return nullptr;
}

bool is_signed_for(OCSP_BASICRESP* basic, const LoadedPair& pair, X509* issuer) {
    const StoreHandle trusted(X509_STORE_new());
    if (trusted == nullptr || X509_STORE_add_cert(trusted.get(), issuer) != 1) return false;
    const int verified =
        OCSP_basic_verify(basic, pair.chain.get(), trusted.get(), OCSP_PARTIAL_CHAIN);
    ERR_clear_error();
    return verified == 1;
}

}  // namespace

std::expected<Staple, std::string> load_staple(const std::string& path, const LoadedPair& pair,
                                               WallTime now) {
    const std::expected<Secret, std::string> file = read_tls_file("OCSP response", path);
    if (!file) return std::unexpected(file.error() + "; none is stapled");
    const std::string& octets = file->text();
    const auto* at = reinterpret_cast<const unsigned char*>(octets.data());
    const OcspResponseHandle response(
        d2i_OCSP_RESPONSE(nullptr, &at, static_cast<long>(octets.size())));
    const OcspBasicHandle basic(response ? OCSP_response_get1_basic(response.get()) : nullptr);
    ERR_clear_error();
    if (basic == nullptr) return not_sent(path, "it is not a successful response in DER format");
    X509* issuer = issuer_of(pair);
    OCSP_SINGLERESP* answer = answer_about(basic.get(), pair, issuer);
    if (answer == nullptr) return not_sent(path, "it is not about the certificate");
    if (issuer != nullptr && !is_signed_for(basic.get(), pair, issuer)) {
        return not_sent(path, "its signature is not the issuer's");
    }
    ASN1_GENERALIZEDTIME* from = nullptr;
    ASN1_GENERALIZEDTIME* to = nullptr;
    const int status = OCSP_single_get0_status(answer, nullptr, nullptr, &from, &to);
    if (status != V_OCSP_CERTSTATUS_GOOD) {
        return not_sent(path,
                        fmt::format("it calls the certificate {}", OCSP_cert_status_str(status)));
    }
    const std::int64_t seconds = now.nanoseconds / 1'000'000'000;
    if (to == nullptr) return not_sent(path, "it does not say until when it holds");
    if (seconds_of(from) > seconds + clock_skew_max) return not_sent(path, "it is from the future");
    if (seconds >= seconds_of(to)) {
        return not_sent(path, fmt::format("it ended on {}", date_of(seconds_of(to))));
    }
    return Staple{{octets.begin(), octets.end()}, seconds_of(to)};
}

}  // namespace restante
