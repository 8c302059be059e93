// JSON Web Tokens: which are good, and which of the old tricks are not.
#include <doctest/doctest.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <memory>
#include <string>
#include <string_view>

#include "auth/base64_url.h"
#include "auth/jwt.h"
#include "auth/sasl_exchange.h"
#include "base/base64.h"

namespace restante {
namespace {

constexpr WallTime now{.nanoseconds = 1'700'000'000'000'000'000};
constexpr std::string_view rs256 = R"({"alg":"RS256","typ":"JWT"})";
constexpr std::string_view es256 = R"({"alg":"ES256","typ":"at+jwt"})";

std::string url(std::string_view octets) {
    std::string text = base64_encode(octets);
    while (text.ends_with('=')) text.pop_back();
    for (char& octet : text) {
        if (octet == '+') octet = '-';
        if (octet == '/') octet = '_';
    }
    return text;
}

struct KeyFree {
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
using PrivateKey = std::unique_ptr<EVP_PKEY, KeyFree>;

/// Made once: RSA takes its time.
EVP_PKEY* rsa_key() {
    static const PrivateKey key(EVP_RSA_gen(2048));
    return key.get();
}
EVP_PKEY* ec_key() {
    static const PrivateKey key(EVP_EC_gen("P-256"));
    return key.get();
}

std::string pem_of(EVP_PKEY* key) {
    BIO* bio = BIO_new(BIO_s_mem());
    REQUIRE(PEM_write_bio_PUBKEY(bio, key) == 1);
    char* text = nullptr;
    const long octets = BIO_get_mem_data(bio, &text);
    std::string pem(text, static_cast<std::size_t>(octets));
    BIO_free(bio);
    return pem;
}

/// r and s from OpenSSL's DER.
std::string raw_signature(const std::string& der) {
    const auto* octets = reinterpret_cast<const unsigned char*>(der.data());
    ECDSA_SIG* pair = d2i_ECDSA_SIG(nullptr, &octets, static_cast<long>(der.size()));
    REQUIRE(pair != nullptr);
    std::string raw(64, '\0');
    auto* target = reinterpret_cast<unsigned char*>(raw.data());
    BN_bn2binpad(ECDSA_SIG_get0_r(pair), target, 32);
    BN_bn2binpad(ECDSA_SIG_get0_s(pair), target + 32, 32);
    ECDSA_SIG_free(pair);
    return raw;
}

std::string sign(EVP_PKEY* key, std::string_view text) {
    EVP_MD_CTX* context = EVP_MD_CTX_new();
    REQUIRE(EVP_DigestSignInit(context, nullptr, EVP_sha256(), nullptr, key) == 1);
    std::string signature(1024, '\0');
    std::size_t octets = signature.size();
    REQUIRE(EVP_DigestSign(context, reinterpret_cast<unsigned char*>(signature.data()), &octets,
                           reinterpret_cast<const unsigned char*>(text.data()), text.size()) == 1);
    EVP_MD_CTX_free(context);
    signature.resize(octets);
    return EVP_PKEY_is_a(key, "EC") == 1 ? raw_signature(signature) : signature;
}

std::string token_of(EVP_PKEY* key, std::string_view header, std::string_view claims) {
    const std::string text = url(header) + '.' + url(claims);
    return text + '.' + url(sign(key, text));
}

std::string number_in(EVP_PKEY* key, const char* name) {
    BIGNUM* number = nullptr;
    REQUIRE(EVP_PKEY_get_bn_param(key, name, &number) == 1);
    std::string octets(static_cast<std::size_t>(BN_num_bytes(number)), '\0');
    BN_bn2bin(number, reinterpret_cast<unsigned char*>(octets.data()));
    BN_free(number);
    return std::string(octets.size() < 32 && octets.size() > 8 ? 32 - octets.size() : 0, '\0') +
           octets;
}

std::string rsa_jwk(const std::string& more = "") {
    return R"({"kty":"RSA","n":")" + url(number_in(rsa_key(), OSSL_PKEY_PARAM_RSA_N)) +
           R"(","e":")" + url(number_in(rsa_key(), OSSL_PKEY_PARAM_RSA_E)) + '"' + more + '}';
}

std::string ec_jwk(const std::string& more = "") {
    return R"({"kty":"EC","crv":"P-256","x":")" +
           url(number_in(ec_key(), OSSL_PKEY_PARAM_EC_PUB_X)) + R"(","y":")" +
           url(number_in(ec_key(), OSSL_PKEY_PARAM_EC_PUB_Y)) + '"' + more + '}';
}

JwtKeys both_keys() {
    auto keys = JwtKeys::parse(pem_of(rsa_key()) + pem_of(ec_key()));
    REQUIRE(keys.has_value());
    return std::move(*keys);
}

constexpr std::string_view good_claims =
    R"({"iss":"https://id.example.org","aud":"mail","sub":"mrose","exp":1700000100})";

TokenExpectations expectations() {
    TokenExpectations expected;
    expected.issuer = "https://id.example.org";
    expected.audience = "mail";
    return expected;
}

TokenUser judge(std::string_view token) {
    return user_of_jwt(token, both_keys(), expectations(), now);
}

TokenUser judge_claims(std::string_view claims) { return judge(token_of(ec_key(), es256, claims)); }

}  // namespace

TEST_CASE("RFC 7519: a token signed with RS256 or ES256 says whose it is") {
    CHECK(judge(token_of(rsa_key(), rs256, good_claims)) == "mrose");
    CHECK(judge(token_of(ec_key(), es256, good_claims)) == "mrose");
    CHECK(judge(token_of(ec_key(), R"({"alg":"ES256"})", good_claims)) == "mrose");
}

TEST_CASE("RFC 8725 §2.1: \"none\", HS256 with a public key for a secret, and other algorithms") {
    const std::string text = url(R"({"alg":"none","typ":"JWT"})") + '.' + url(good_claims);
    CHECK_FALSE(judge(text + '.').has_value());
    CHECK_FALSE(judge(text).has_value());
    CHECK_FALSE(judge(text + '.' + url("x")).has_value());

    const std::string mac_text = url(R"({"alg":"HS256","typ":"JWT"})") + '.' + url(good_claims);
    const std::string secret = pem_of(rsa_key());
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
         reinterpret_cast<const unsigned char*>(mac_text.data()), mac_text.size(), mac, &size);
    CHECK_FALSE(
        judge(mac_text + '.' + url({reinterpret_cast<const char*>(mac), size})).has_value());

    for (const std::string_view header :
         {R"({"alg":"RS512"})", R"({"alg":"PS256"})", R"({"alg":"rs256"})", R"({"alg":"None"})",
          R"({"alg":null})", R"({"alg":["RS256"]})", R"({})", R"([])", R"("RS256")",
          R"({"alg":"none","alg":"RS256"})", R"({"alg":"RS256","crit":["exp"]})",
          R"({"alg":"RS256","typ":"secevent+jwt"})"}) {
        CAPTURE(header);
        CHECK_FALSE(judge(token_of(rsa_key(), header, good_claims)).has_value());
    }
}

TEST_CASE("RFC 8725 §3.1: an algorithm works with keys of its kind alone") {
    CHECK_FALSE(judge(token_of(rsa_key(), es256, good_claims)).has_value());
    CHECK_FALSE(judge(token_of(ec_key(), rs256, good_claims)).has_value());
    const PrivateKey another(EVP_EC_gen("P-256"));
    CHECK(judge(token_of(another.get(), es256, good_claims)).error() ==
          std::string("the token's signature is of none of the keys"));
}

TEST_CASE("JWT: any octet that is changed makes the signature wrong") {
    const std::string token = token_of(ec_key(), es256, good_claims);
    for (std::size_t at = 0; at < token.size(); at += 7) {
        std::string changed = token;
        changed[at] = changed[at] == 'A' ? 'B' : 'A';
        CHECK_FALSE(judge(changed).has_value());
    }
}

TEST_CASE("JWT: what is malformed, cut short or huge is refused") {
    const std::string token = token_of(ec_key(), es256, good_claims);
    for (std::size_t size = 0; size < token.size(); size += 3) {
        CHECK_FALSE(judge(token.substr(0, size)).has_value());
    }
    for (const std::string& wrong :
         {std::string("..."), std::string(".."), std::string("a.b.c.d"), token + '=', token + ".x",
          '.' + token, std::string(token_octets_max + 1, 'a'), std::string(64 * 1024, '.'),
          url(std::string(3000, '[')) + ".e30.e30"}) {
        CHECK_FALSE(judge(wrong).has_value());
    }
    // Signed, and yet no object, too deep, or with a name twice.
    for (const std::string& claims :
         {std::string(), std::string("[]"), std::string("null"), std::string("{"),
          std::string(R"({"sub":"mrose","sub":"admin","exp":1800000000})"),
          R"({"x":)" + std::string(1000, '[') + std::string(1000, ']') + "}"}) {
        CHECK_FALSE(judge_claims(claims).has_value());
    }
}

TEST_CASE("RFC 7519 §4.1: exp, nbf and iat count, give or take a minute") {
    const auto with = [](std::string_view times) {
        return judge_claims(R"({"iss":"https://id.example.org","aud":"mail","sub":"mrose")" +
                            std::string(times) + "}");
    };
    CHECK(with(R"(,"exp":1700000001)").has_value());
    CHECK(with(R"(,"exp":1699999941)").has_value());
    CHECK(with(R"(,"exp":1699999941.5)").has_value());
    CHECK(with(R"(,"exp":1699999940)").error() == std::string("the token has expired"));
    CHECK_FALSE(with("").has_value());
    CHECK_FALSE(with(R"(,"exp":"1800000000")").has_value());
    CHECK_FALSE(with(R"(,"exp":null)").has_value());
    CHECK_FALSE(with(R"(,"exp":-1)").has_value());
    CHECK(with(R"(,"exp":1800000000,"nbf":1700000060)").has_value());
    CHECK_FALSE(with(R"(,"exp":1800000000,"nbf":1700000061)").has_value());
    CHECK_FALSE(with(R"(,"exp":1800000000,"nbf":"x")").has_value());
    CHECK(with(R"(,"exp":1800000000,"iat":1700000060)").has_value());
    CHECK_FALSE(with(R"(,"exp":1800000000,"iat":1700000061)").has_value());
}

TEST_CASE("RFC 7519 §4.1: issuer, audience, scope and user must be those that are expected") {
    const auto with = [](std::string_view claims) {
        return judge_claims(R"({"exp":1800000000,)" + std::string(claims) + "}");
    };
    CHECK(with(R"("iss":"https://id.example.org","aud":["x","mail"],"sub":"u")").has_value());
    for (const std::string_view wrong :
         {R"("iss":"https://id.example.org/","aud":"mail","sub":"u")", R"("aud":"mail","sub":"u")",
          R"("iss":["https://id.example.org"],"aud":"mail","sub":"u")",
          R"("iss":"https://id.example.org","sub":"u")",
          R"("iss":"https://id.example.org","aud":"mails","sub":"u")",
          R"("iss":"https://id.example.org","aud":["x",["mail"]],"sub":"u")",
          R"("iss":"https://id.example.org","aud":"mail")",
          R"("iss":"https://id.example.org","aud":"mail","sub":"")",
          R"("iss":"https://id.example.org","aud":"mail","sub":7)",
          R"("iss":"https://id.example.org","aud":"mail","sub":"a\u0000b")"}) {
        CAPTURE(wrong);
        CHECK_FALSE(with(wrong).has_value());
    }
    const std::string long_name(256, 'u');
    CHECK_FALSE(with(R"("iss":"https://id.example.org","aud":"mail","sub":")" + long_name + '"')
                    .has_value());
}

TEST_CASE("token claims: every scope that is asked for must be there, whole") {
    TokenExpectations expected;
    expected.scope = "mail profile";
    const auto with = [&expected](std::string_view scope) {
        const std::string json =
            R"({"exp":1800000000,"sub":"u","scope":)" + std::string(scope) + "}";
        return user_of_claims(json, TokenSource::jwt, expected, now).has_value();
    };
    CHECK(with(R"("profile mail")"));
    CHECK(with(R"("openid  mail profile")"));
    for (const std::string_view wrong : {R"("mail")", R"("mailprofile")", R"("mails profile")",
                                         R"("")", R"(["mail","profile"])"}) {
        CHECK_FALSE(with(wrong));
    }
}

TEST_CASE("RFC 7517: a JWK set's keys verify, picked by their id where they have one") {
    const auto set = [](const std::string& keys) {
        return JwtKeys::parse("{\"keys\":[" + keys + "]}");
    };
    const auto keys = set(rsa_jwk(R"(,"kid":"a","use":"sig","alg":"RS256")") + ',' + ec_jwk());
    REQUIRE(keys.has_value());
    CHECK(keys->size() == 2);
    const auto judged = [&keys](std::string_view token) {
        return user_of_jwt(token, *keys, expectations(), now).has_value();
    };
    CHECK(judged(token_of(rsa_key(), R"({"alg":"RS256","kid":"a"})", good_claims)));
    CHECK(judged(token_of(rsa_key(), rs256, good_claims)));
    CHECK_FALSE(judged(token_of(rsa_key(), R"({"alg":"RS256","kid":"b"})", good_claims)));
    CHECK(judged(token_of(ec_key(), R"({"alg":"ES256","kid":"b"})", good_claims)));
}

TEST_CASE("RFC 7517: keys for other things are passed over, broken ones are refused") {
    const auto set = [](const std::string& keys) {
        return JwtKeys::parse("{\"keys\":[" + keys + "]}");
    };
    CHECK_FALSE(set("").has_value());
    CHECK_FALSE(set(R"({"kty":"oct","k":"c2VjcmV0"})").has_value());
    CHECK_FALSE(set(rsa_jwk(R"(,"use":"enc")")).has_value());
    CHECK_FALSE(set(rsa_jwk(R"(,"alg":"RS512")")).has_value());
    CHECK(set(R"({"kty":"oct","k":"c2VjcmV0"},)" + ec_jwk())->size() == 1);
    CHECK_FALSE(set("7").has_value());
    CHECK_FALSE(set(R"({"kty":"RSA"})").has_value());
    CHECK_FALSE(set(R"({"kty":"RSA","n":"AQAB","e":"AQAB"})").has_value());
    CHECK_FALSE(set(R"({"kty":"EC","crv":"P-256","x":"AA","y":"AA"})").has_value());
    const std::string zeroes = url(std::string(32, '\0'));
    CHECK_FALSE(set(R"({"kty":"EC","crv":"P-256","x":")" + zeroes + R"(","y":")" + zeroes + "\"}")
                    .has_value());
    for (const std::string_view text : {"", "{}", "[]", "{\"keys\":{}}", "hello"}) {
        CHECK_FALSE(JwtKeys::parse(text).has_value());
    }
}

TEST_CASE("PEM keys: RSA of 2048 bits and more, P-256; others are refused with a reason") {
    CHECK(both_keys().size() == 2);
    const PrivateKey small(EVP_RSA_gen(1024));
    CHECK(JwtKeys::parse(pem_of(small.get())).error() ==
          "it has an RSA key of less than 2048 bits");
    const PrivateKey curve(EVP_EC_gen("P-384"));
    CHECK(JwtKeys::parse(pem_of(curve.get())).error() ==
          "it has a key that is neither RSA nor P-256");
    const std::string pem = pem_of(ec_key());
    CHECK_FALSE(JwtKeys::parse(pem.substr(0, pem.size() / 2)).has_value());
    CHECK_FALSE(JwtKeys::parse("-----BEGIN PRIVATE KEY-----\nAAAA\n").has_value());
    CHECK(load_jwt_keys("/nonexistent/keys").error() ==
          "cannot use the token keys in /nonexistent/keys: No such file or directory");
}

TEST_CASE("RFC 4648 §5: base64url has its own alphabet and no padding") {
    CHECK(base64_url_decode("-_8") == "\xFB\xFF");
    CHECK(base64_url_decode("") == "");
    for (const std::string_view wrong : {"+/8", "-_8=", "a", "ab\n", "-_9"}) {
        CHECK_FALSE(base64_url_decode(wrong).has_value());
    }
}

}  // namespace restante
