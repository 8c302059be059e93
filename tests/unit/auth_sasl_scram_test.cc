// SCRAM's keys: RFC 5802, RFC 7677, and how they are stored.
#include "auth/scram.h"

#include <doctest/doctest.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <string>
#include <string_view>

#include "auth/password_scheme.h"
#include "base/base64.h"

namespace restante {
namespace {

/// One exchange of an RFC: what was said, and what the server must answer.
struct Vector {
    DigestAlgorithm algorithm;
    std::string_view salt;  ///< base64, as the numbers below
    std::string_view auth_message;
    std::string_view proof;
    std::string_view server_signature;
};

constexpr Vector rfc_5802{DigestAlgorithm::sha1, "QSXCR+Q6sek8bf92",
                          "n=user,r=fyko+d2lbbFgONRv9qkxdawL,"
                          "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096,"
                          "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j",
                          "v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=", "rmF9pqV8S7suAoZWja4dJRkFsKQ="};
constexpr Vector rfc_7677{
    DigestAlgorithm::sha256, "W22ZaJ0SNY7soEsUEjb6gQ==",
    "n=user,r=rOprNGfwEbeRWgbNEkqO,"
    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,"
    "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
    "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=", "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="};

std::string keyed(const Secret& key, std::string_view text, DigestAlgorithm algorithm) {
    unsigned char made[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    HMAC(algorithm == DigestAlgorithm::sha1 ? EVP_sha1() : EVP_sha256(), key.text().data(),
         static_cast<int>(key.text().size()), reinterpret_cast<const unsigned char*>(text.data()),
         text.size(), made, &size);
    return {reinterpret_cast<const char*>(made), size};
}

bool is_right_proof(const ScramKeys& keys, const Vector& vector) {
    return fits_scram_keys(keys, vector.auth_message, *base64_decode(vector.proof));
}

}  // namespace

TEST_CASE("RFC 5802 §5 and RFC 7677 §3: the examples' proofs and signatures fit the keys") {
    for (const Vector& vector : {rfc_5802, rfc_7677}) {
        const auto keys =
            derive_scram_keys("pencil", {*base64_decode(vector.salt), 4096}, vector.algorithm);
        REQUIRE(keys.has_value());
        CHECK(is_right_proof(*keys, vector));
        CHECK(base64_encode(keyed(keys->server_key, vector.auth_message, vector.algorithm)) ==
              vector.server_signature);
        const auto others =
            derive_scram_keys("pencils", {*base64_decode(vector.salt), 4096}, vector.algorithm);
        CHECK_FALSE(is_right_proof(*others, vector));
        for (const std::string_view proof :
             {std::string_view(), vector.salt, vector.server_signature}) {
            CHECK_FALSE(fits_scram_keys(*keys, vector.auth_message, *base64_decode(proof)));
        }
        CHECK_FALSE(fits_scram_keys(*keys, "n=user", *base64_decode(vector.proof)));
    }
}

TEST_CASE("{SCRAM-SHA-256} and {SCRAM-SHA-1}: stored as Dovecot's, a PLAIN password verifies") {
    for (const std::string_view scheme : {"SCRAM-SHA-256", "SCRAM-SHA-1"}) {
        const auto stored = hash_password("pencil", scheme);
        REQUIRE(stored.has_value());
        CHECK(stored->starts_with("{" + std::string(scheme) + "}4096,"));
        CHECK(verify_password("pencil", *stored) == true);
        CHECK(verify_password("Pencil", *stored) == false);
        CHECK(verify_password("", *stored) == false);
        CHECK(*hash_password("pencil", scheme) != *stored);
        CHECK_FALSE(StoredPassword::parse(*stored)->is_cheap());
        CHECK_FALSE(StoredPassword::parse(*stored)->plain_secret().has_value());
    }
}

TEST_CASE("{SCRAM-SHA-256}: the keys are there for that algorithm alone") {
    const std::string stored = *hash_password("pencil", "SCRAM-SHA-256");
    const auto parsed = StoredPassword::parse(stored);
    REQUIRE(parsed.has_value());
    const auto keys = parsed->scram_keys(DigestAlgorithm::sha256);
    REQUIRE(keys.has_value());
    CHECK("{SCRAM-SHA-256}" + scram_keys_text(*keys) == stored);
    CHECK_FALSE(parsed->scram_keys(DigestAlgorithm::sha1).has_value());
    const std::string plain = "{PLAIN}pencil";
    CHECK_FALSE(StoredPassword::parse(plain)->scram_keys(DigestAlgorithm::sha256).has_value());
}

TEST_CASE("{SCRAM-SHA-256}: what is no such hash, or costs too much, is refused") {
    const std::string salt = "W22ZaJ0SNY7soEsUEjb6gQ==";
    const std::string key = base64_encode(std::string(32, 'k'));
    const std::string short_key = base64_encode(std::string(20, 'k'));
    const auto fault = [](const std::string& text) {
        const auto parsed = StoredPassword::parse(text);
        return parsed ? std::nullopt : std::optional(parsed.error());
    };
    const auto stored = [&](std::string_view iterations, const std::string& with_salt) {
        return "{SCRAM-SHA-256}" + std::string(iterations) + "," + with_salt + "," + key + "," +
               key;
    };
    CHECK(fault(stored("4096", salt)) == std::nullopt);
    CHECK(fault(stored("4000000", salt)) == std::nullopt);
    CHECK(fault(stored("4000001", salt)) == PasswordFault::too_costly);
    CHECK(fault(stored("4294967296", salt)) == PasswordFault::malformed);
    for (const std::string_view iterations : {"0", "", "-1", "4096 ", "x"}) {
        CHECK(fault(stored(iterations, salt)) == PasswordFault::malformed);
    }
    for (const std::string& wrong :
         {std::string(), std::string("*"), base64_encode(std::string(65, 's'))}) {
        CHECK(fault(stored("4096", wrong)) == PasswordFault::malformed);
    }
    CHECK(fault("{SCRAM-SHA-256}4096," + salt + "," + key) == PasswordFault::malformed);
    CHECK(fault("{SCRAM-SHA-256}4096," + salt + "," + key + "," + short_key) ==
          PasswordFault::malformed);
    CHECK(fault("{SCRAM-SHA-256}4096," + salt + "," + key + "," + key + ",x") ==
          PasswordFault::malformed);
    CHECK(fault("{SCRAM-SHA-256}x") == PasswordFault::malformed);
}

TEST_CASE("RFC 5802 §2.2: passwords are prepared with SASLprep") {
    const ScramSalt salt{.octets = "0123456789abcdef", .iterations = 16};
    const auto of = [&salt](std::string_view password) {
        return derive_scram_keys(password, salt, DigestAlgorithm::sha256);
    };
    // RFC 4013 §3: U+00AD is mapped to nothing, U+00AA to a, U+2168 to IX.
    CHECK(of("I\xC2\xADX")->stored_key.text() == of("IX")->stored_key.text());
    CHECK(of("\xC2\xAA")->stored_key.text() == of("a")->stored_key.text());
    CHECK(of("\xE2\x85\xA8")->stored_key.text() == of("IX")->stored_key.text());
    CHECK(of("USER")->stored_key.text() != of("user")->stored_key.text());
    for (const std::string_view refused :
         {std::string_view("\x07"), std::string_view("\xD8\xA7\x31"), std::string_view("\xFF"),
          std::string_view(), std::string_view("a\0b", 3), std::string_view("\xC2\xAD")}) {
        CHECK(of(refused).error() == PasswordFault::malformed);
    }
    CHECK(verify_scram_keys("\x07", *of("user")) == false);
}

}  // namespace restante
