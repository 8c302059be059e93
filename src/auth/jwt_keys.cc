#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "auth/base64_url.h"
#include "auth/json_object.h"
#include "auth/jwt.h"
#include "base/fd.h"
#include "base/free_with.h"

namespace restante {
namespace {

constexpr std::size_t p256_octets = 32;
constexpr std::size_t key_set_depth_max = 8;

using Bio = std::unique_ptr<BIO, FreeWith<BIO_free_all>>;
using Number = std::unique_ptr<BIGNUM, FreeWith<BN_free>>;
using Builder = std::unique_ptr<OSSL_PARAM_BLD, FreeWith<OSSL_PARAM_BLD_free>>;
using Parameters = std::unique_ptr<OSSL_PARAM, FreeWith<OSSL_PARAM_free>>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, FreeWith<EVP_PKEY_CTX_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, FreeWith<EVP_MD_CTX_free>>;
using EcdsaSignature = std::unique_ptr<ECDSA_SIG, FreeWith<ECDSA_SIG_free>>;

const unsigned char* octets_of(std::string_view text) {
    return reinterpret_cast<const unsigned char*>(text.data());
}

Number number_of(std::string_view octets) {
    return Number(BN_bin2bn(octets_of(octets), static_cast<int>(octets.size()), nullptr));
}

EVP_PKEY* make_key(const char* type, OSSL_PARAM_BLD* builder) {
    const Parameters parameters(OSSL_PARAM_BLD_to_param(builder));
    const KeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
    EVP_PKEY* key = nullptr;
    if (parameters == nullptr || context == nullptr) return nullptr;
    if (EVP_PKEY_fromdata_init(context.get()) != 1) return nullptr;
    if (EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, parameters.get()) != 1) {
        return nullptr;
    }
    return key;
}

std::optional<std::string> octets_in(const JsonObject& key, const char* name) {
    const std::optional<std::string_view> text = key.text(name);
    return text ? base64_url_decode(*text) : std::nullopt;
}

/// RFC 7518 §6.3.1.
EVP_PKEY* make_rsa_key(const JsonObject& key) {
    const std::optional<std::string> modulus = octets_in(key, "n");
    const std::optional<std::string> exponent = octets_in(key, "e");
    if (!modulus || !exponent) return nullptr;
    const Number n = number_of(*modulus);
    const Number e = number_of(*exponent);
    const Builder builder(OSSL_PARAM_BLD_new());
    if (builder == nullptr || n == nullptr || e == nullptr) return nullptr;
    if (OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get()) != 1) return nullptr;
    if (OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get()) != 1) return nullptr;
    return make_key("RSA", builder.get());
}

/// RFC 7518 §6.2.1, of P-256.
EVP_PKEY* make_ec_key(const JsonObject& key) {
    const std::optional<std::string> x = octets_in(key, "x");
    const std::optional<std::string> y = octets_in(key, "y");
    if (!x || !y || x->size() != p256_octets || y->size() != p256_octets) return nullptr;
    const std::string point = '\x04' + *x + *y;
    const Builder builder(OSSL_PARAM_BLD_new());
    if (builder == nullptr) return nullptr;
    if (OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1",
                                        0) != 1 ||
        OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(),
                                         point.size()) != 1) {
        return nullptr;
    }
    return make_key("EC", builder.get());
}

struct PemBlock {
    std::string name;
    std::string octets;
};

/// The next one; empty at the end, or where it is malformed.
std::optional<PemBlock> read_block(BIO* bio) {
    char* name = nullptr;
    char* header = nullptr;
    unsigned char* octets = nullptr;
    long size = 0;
    if (PEM_read_bio(bio, &name, &header, &octets, &size) != 1) return std::nullopt;
    PemBlock block{name, {reinterpret_cast<const char*>(octets), static_cast<std::size_t>(size)}};
    OPENSSL_free(name);
    OPENSSL_free(header);
    OPENSSL_free(octets);
    return block;
}

/// For verifying RS256 or ES256, for all that it says.
bool is_of_use(const JsonObject& key) {
    const std::string_view type = key.text("kty").value_or("");
    const std::string_view algorithm = type == "RSA" ? "RS256" : "ES256";
    if (type != "RSA" && (type != "EC" || key.text("crv") != "P-256")) return false;
    if (key.has("use") && key.text("use") != "sig") return false;
    return !key.has("alg") || key.text("alg") == algorithm;
}

/// r and s, 32 octets each (RFC 7518 §3.4), as OpenSSL takes them.
std::string der_of(std::string_view signature) {
    EcdsaSignature pair(ECDSA_SIG_new());
    Number r = number_of(signature.substr(0, p256_octets));
    Number s = number_of(signature.substr(p256_octets));
    if (pair == nullptr || r == nullptr || s == nullptr) return {};
    ECDSA_SIG_set0(pair.get(), r.release(), s.release());
    unsigned char* made = nullptr;
    const int octets = i2d_ECDSA_SIG(pair.get(), &made);
    if (octets <= 0) return {};
    const std::string der(reinterpret_cast<const char*>(made), static_cast<std::size_t>(octets));
    OPENSSL_free(made);
    return der;
}

bool is_signed_by(EVP_PKEY* key, std::string_view text, std::string_view signature) {
    const DigestContext context(EVP_MD_CTX_new());
    if (context == nullptr) return false;
    if (EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, key) != 1) return false;
    return EVP_DigestVerify(context.get(), octets_of(signature), signature.size(), octets_of(text),
                            text.size()) == 1;
}

}  // namespace

std::expected<JwtKeys, std::string> JwtKeys::parse(std::string_view text) {
    JwtKeys keys;
    const bool is_pem = text.find("-----BEGIN ") != std::string_view::npos;
    const char* fault = is_pem ? keys.add_from_pem(text) : keys.add_from_set(text);
    ERR_clear_error();  // the queue is the TLS engine's, too
    if (fault != nullptr) return std::unexpected(fault);
    if (keys.keys_.empty()) {
        return std::unexpected("it has no RSA key and no P-256 key for signatures");
    }
    return keys;
}

const char* JwtKeys::add(EVP_PKEY* given, std::string id) {
    Owned key(given);
    if (key == nullptr) return "it has a key that is malformed";
    if (keys_.size() == jwt_keys_max) return "it has more than 32 keys";
    if (EVP_PKEY_is_a(key.get(), "RSA") == 1) {
        const int bits = EVP_PKEY_get_bits(key.get());
        if (bits < jwt_rsa_bits_min) return "it has an RSA key of less than 2048 bits";
        if (bits > jwt_rsa_bits_max) return "it has an RSA key of more than 8192 bits";
        keys_.push_back({std::move(key), JwtAlgorithm::rs256, std::move(id)});
        return nullptr;
    }
    std::array<char, 32> group{};
    std::size_t group_octets = 0;
    if (EVP_PKEY_is_a(key.get(), "EC") != 1 ||
        EVP_PKEY_get_group_name(key.get(), group.data(), group.size(), &group_octets) != 1 ||
        std::string_view(group.data(), group_octets) != "prime256v1") {
        return "it has a key that is neither RSA nor P-256";
    }
    keys_.push_back({std::move(key), JwtAlgorithm::es256, std::move(id)});
    return nullptr;
}

const char* JwtKeys::add_from_pem(std::string_view text) {
    const Bio bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
    if (bio == nullptr) return "there is no memory to read it";
    for (;;) {
        const std::optional<PemBlock> block = read_block(bio.get());
        if (!block) break;
        if (block->name != PEM_STRING_PUBLIC) {
            return "it has something else than \"BEGIN PUBLIC KEY\" (openssl x509 -pubkey takes it "
                   "from a certificate, openssl pkey -pubout from a private key)";
        }
        const unsigned char* octets = octets_of(block->octets);
        EVP_PKEY* key = d2i_PUBKEY(nullptr, &octets, static_cast<long>(block->octets.size()));
        if (const char* fault = add(key, {})) return fault;
    }
    const bool has_ended = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    return has_ended ? nullptr : "it has a key that is malformed";
}

const char* JwtKeys::add_from_set(std::string_view text) {
    const std::optional<JsonObject> set =
        JsonObject::parse(text, {jwt_key_file_octets_max, key_set_depth_max});
    if (!set) return "it is neither PEM nor a JWK set";
    const json_t* list = set->member("keys");
    if (!json_is_array(list)) return "it is JSON without an array \"keys\"";
    for (std::size_t i = 0; i < json_array_size(list); ++i) {
        const std::optional<JsonObject> key = JsonObject::share(json_array_get(list, i));
        if (!key) return "it has a key that is no JSON object";
        if (!is_of_use(*key)) continue;
        const bool is_rsa = key->text("kty") == "RSA";
        EVP_PKEY* made = is_rsa ? make_rsa_key(*key) : make_ec_key(*key);
        if (const char* fault = add(made, std::string(key->text("kid").value_or("")))) return fault;
    }
    return nullptr;
}

/// Keys with another id than the token names are passed over.
bool JwtKeys::verify(const Signed& token) const {
    std::string der;
    std::string_view signature = token.signature;
    if (token.algorithm == JwtAlgorithm::es256) {
        if (signature.size() != 2 * p256_octets) return false;
        der = der_of(signature);
        signature = der;
    }
    bool is_verified = false;
    for (const Key& key : keys_) {
        if (key.algorithm != token.algorithm) continue;
        if (token.key_id && !key.id.empty() && key.id != *token.key_id) continue;
        is_verified = is_signed_by(key.key.get(), token.text, signature);
        if (is_verified) break;
    }
    ERR_clear_error();
    return is_verified;
}

std::expected<JwtKeys, std::string> load_jwt_keys(const std::string& path) {
    const auto refuse = [&path](const std::string& cause) {
        return std::unexpected("cannot use the token keys in " + path + ": " + cause);
    };
    const int opened = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (opened < 0) return refuse(strerrordesc_np(errno));
    const Fd file(opened);
    struct stat status;
    if (::fstat(opened, &status) < 0) return refuse(strerrordesc_np(errno));
    if (!S_ISREG(status.st_mode)) return refuse("it is no regular file");
    if (static_cast<std::size_t>(status.st_size) > jwt_key_file_octets_max) {
        return refuse("it is larger than 256 KiB");
    }
    std::string text(static_cast<std::size_t>(status.st_size), '\0');
    const ssize_t got = ::read(opened, text.data(), text.size());
    if (got < 0) return refuse(strerrordesc_np(errno));
    text.resize(static_cast<std::size_t>(got));
    std::expected<JwtKeys, std::string> keys = JwtKeys::parse(text);
    if (!keys) return refuse(keys.error());
    return keys;
}

}  // namespace restante
