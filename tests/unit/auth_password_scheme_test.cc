#include "auth/password_scheme.h"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

using namespace std::string_literals;
using namespace std::string_view_literals;

namespace restante {
namespace {

/// Of the password "secret": by openssl-passwd(1), perl's and libxcrypt's crypt(3), Python's
/// hashlib.
constexpr std::string_view hashes_of_secret[] = {
    "{PLAIN}secret",
    "{plain}secret",
    "{CLEARTEXT}secret",
    "{CLEAR}secret",
    "{PLAIN.b64}c2VjcmV0",
    "{PLAIN.HEX}736563726574",
    "abNANd1rDfiNc",
    "{DES-CRYPT}abNANd1rDfiNc",
    "{CRYPT}_J9..2/RY8rBTW1zCV5s",
    "{MD5-CRYPT}$1$saltsalt$9xy1btjgzLYfb7hivXtC//",
    "$5$saltsalt$0IyaXrmV7.sGNS6tirgqHLqX/G.FBvgkYA.lpPdS5sA",
    "{SHA256-CRYPT}$5$saltsalt$0IyaXrmV7.sGNS6tirgqHLqX/G.FBvgkYA.lpPdS5sA",
    "{SHA512-CRYPT}$6$saltsalt$"
    "TVLlQcbpFVof5W3Yz4DTP6gRstiNuHwwTt6GLc1E5n0U0aDehy0S5knV8wiOQSpT0Y77vwPZN.Pq."
    "H91p5hVO1",
    "{CRYPT}$6$rounds=1000$saltsalt$LAV5VE5Y7w1d73x1mFNspYWUpazfmwv2SoepNXNKJ/"
    "otop/Zok96Hr8Q13LEv0DRY/x8v0/crpIjl8NJSAqXV/",
    "{BLF-CRYPT}$2y$05$2y4oo2BkWwYfA6.15hxTHufy3H9n1LooCNWpwqf8L6Uek0ocj2HNO",
    "{BLF-CRYPT}$2b$05$6zouAFO9jj9QETv0y3XFxO8.lZoudyW3qD/wWAqOjmMDhzRikRbH2",
    "$2a$05$vfSysne1FtCEV62sQhZGZuNNzWyLidVT0tapRa6wLKrzl9cPSL9F6",
    "{YESCRYPT}$y$j9T$TDPc3GGK9Dv33Zh5NWQ8i/$Je0D0YLlWPN9y5luOJaq3Dq4mPjn8hPd8T7sixxz5PD",
    "{GOST-YESCRYPT}$gy$j9T$PA5LU8yialhLzNDPCWOeX1$qJXfpe96giO6lRdV35HrwrbFfHHmw0k5XqPhZPKFPkB",
    "{SCRYPT}$7$CU..../....V7DPPK8R88LctnHybyuHX1$yolgYSjUgI1An8PHVVfjUJNlPa3WLTQsUGld7x0FryA",
    "{SHA1-CRYPT}$sha1$206078$B.YLeCkoXrI3M18I4s7K$WyB9wUPCPIkaFX3qb42NxqSEgU8V",
    "{SUNMD5-CRYPT}$md5,rounds=59875$U7d2ghUs$$dxEguNycArYGS9.A/z0za1",
    "{NT-CRYPT}$3$$878d8014606cda29677a44efa1353fc7",
    "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=",
    "{SHA1}e5e9fa1ba31ecd1ae84f75caaa474f3a663f05f4",
    "{SHA1.hex}E5E9FA1BA31ECD1AE84F75CAAA474F3A663F05F4",
    "{SHA256}K7gNU3sdo+OL0wNhqoVWhr3g6s1xYv72ol/pe/Unols=",
    "{SHA256}2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b",
    "{SHA512.b64}"
    "vSsar3708Jvp9Szi2NWZZ02Bqp1qRCFpbcTZPdBhnWgs5WtNZKnvCXdhztmeD2cmW192CF5bDufKRpayrW/isg==",
    "{SSHA}Wcm1xEisNjqp921ALcHfuQ7avFdzYWx0MTIzNA==",
    "{SSHA.hex}59c9b5c448ac363aa9f76d402dc1dfb90edabc5773616c7431323334",
    "{SSHA256}lXT7qF+fT7OVoVlwD0tMd02E1ak2dLDbk993wZxIM65zYWx0MTIzNA==",
    "{SSHA512}Enu6C74BUnsH3FJ5DbcJeTfPKMqMpMZOm66wJaf/"
    "iZqtrDfdcDyFhEmcwbcWyY5CUEDqbpdskEI2yPdeCZGVPXNhbHQxMjM0",
};

/// Of "password": the vectors of the reference implementation (phc-winner-argon2, src/test.c and
/// README).
constexpr std::string_view argon2_hashes_of_password[] = {
    "{ARGON2ID}$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$"
    "CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
    "{ARGON2I}$argon2i$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$wWKIMhR9lyDFvRz9YTZweHKfbftvj+qf+"
    "YFY4NeBbtA",
    "{ARGON2I}$argon2i$v=19$m=65536,t=2,p=4$c29tZXNhbHQ$RdescudvJCsgt3ub+b+dWRWJTmaaJObG",
};

PasswordFault fault_of(std::string_view stored) {
    const auto parsed = StoredPassword::parse(stored);
    REQUIRE_FALSE(parsed.has_value());
    return parsed.error();
}

}  // namespace

TEST_CASE("password schemes: known hashes match their password and no other") {
    for (const std::string_view stored : hashes_of_secret) {
        CAPTURE(stored);
        CHECK(verify_password("secret", stored) == true);
        CHECK(verify_password("Secret", stored) == false);
        CHECK(verify_password("", stored) == false);
    }
    for (const std::string_view stored : argon2_hashes_of_password) {
        CAPTURE(stored);
        CHECK(verify_password("password", stored) == true);
        CHECK(verify_password("passwore", stored) == false);
    }
}

TEST_CASE("password schemes: a NUL in the secret matches nothing it cuts off") {
    for (const std::string_view stored : hashes_of_secret) {
        CAPTURE(stored);
        CHECK(verify_password("secret\0"sv, stored) == false);
        CHECK(verify_password("secret\0x"sv, stored) == false);
    }
}

TEST_CASE("password schemes: what each makes verifies, with a new salt each time") {
    for (const std::string_view scheme : password_scheme_names()) {
        CAPTURE(scheme);
        const auto made = hash_password("p w:d", scheme);
        REQUIRE(made.has_value());
        CHECK(verify_password("p w:d", *made) == true);
        CHECK(verify_password("p w;d", *made) == false);
        CHECK(made->find(':') == std::string::npos);
        const auto again = hash_password("p w:d", scheme);
        const bool is_salted = !scheme.starts_with("SHA1") || scheme.ends_with("-CRYPT");
        if (is_salted && scheme.starts_with("S") && scheme != "SHA" && scheme != "SHA256" &&
            scheme != "SHA512") {
            CHECK(made != again);
        }
    }
    CHECK(hash_password("secret", "plain") == "{PLAIN}secret");
    CHECK(hash_password("a:b", "PLAIN") == "{PLAIN.b64}YTpi");
}

TEST_CASE("password schemes: an unknown scheme is not a wrong password") {
    for (const std::string_view stored :
         {"{OTP}x"sv, "{}x"sv, "{PLAIN.b65}x"sv, "{PLAIN.}x"sv, "{SHA3}x"sv}) {
        CAPTURE(stored);
        CHECK(fault_of(stored) == PasswordFault::unknown_scheme);
    }
    CHECK(hash_password("secret", "NONE").error() == PasswordFault::unknown_scheme);
}

TEST_CASE("password schemes: a malformed hash is not a wrong password") {
    for (
        const std::string_view stored :
        {""sv, "secret"sv, "{PLAIN"sv, "{PLAIN}"sv, "{PLAIN.b64}c2Vj*"sv, "{PLAIN.hex}7"sv,
         "{SHA}AAAA"sv, "{SSHA}5en6G6MezRroT3XKqkdPOmY/BfQ="sv, "{SHA256}zz"sv,
         "{CRYPT}$6$saltsalt$short"sv,
         "$6$rounds=x$saltsalt$TVLlQcbpFVof5W3Yz4DTP6gRstiNuHwwTt6GLc1E5n0U0aDehy0S5knV8wiOQSpT0Y77"
         "vwPZN.Pq.H91p5hVO1"sv,
         "$9$whatever"sv, "$2y$05$tooshort"sv,
         "{ARGON2ID}$argon2d$v=19$m=8,t=1,p=1$c29tZXNhbHQ$AAAA"sv,
         "{ARGON2ID}$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ"sv,
         "{ARGON2ID}$argon2id$v=18$m=8,t=1,p=1$a$b"sv,
         "{ARGON2ID}$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$*AAA"sv,
         "{ARGON2ID}"sv, "{ARGON2I}secret"sv}) {
        CAPTURE(stored);
        CHECK(fault_of(stored) == PasswordFault::malformed);
    }
}

TEST_CASE("password schemes: absurd costs are refused, not paid") {
    const std::string sha512(86, 'a');
    const std::string tail43(43, 'a');
    for (const std::string& stored :
         {"{ARGON2ID}$argon2id$v=19$m=4294967295,t=1,p=1$c29tZXNhbHQ$AAAA"s,
          "{ARGON2ID}$argon2id$v=19$m=262145,t=1,p=1$c29tZXNhbHQ$AAAA"s,
          "{ARGON2ID}$argon2id$v=19$m=8,t=99999999999999999999,p=1$c29tZXNhbHQ$AAAA"s,
          "{ARGON2ID}$argon2id$v=19$m=65536,t=65,p=1$c29tZXNhbHQ$AAAA"s,
          "{ARGON2I}$argon2i$v=19$m=65536,t=1,p=65$c29tZXNhbHQ$AAAA"s,
          "$6$rounds=5000001$saltsalt$" + sha512,
          "$6$rounds=999999999999999999999$saltsalt$" + sha512,
          "$5$rounds=999999999$saltsalt$" + tail43, "$2y$17$" + std::string(53, 'a'),
          "$sha1$4294967295$salt$" + std::string(28, 'a'),
          "$md5,rounds=4294967295$salt$$" + std::string(22, 'a'), "_zzzz" + std::string(15, 'a'),
          "$y$jET$salt$" + tail43, "$y$jzT$salt$" + tail43, "$y$j9T5.$salt$" + tail43,
          "$7$SU..../....salt$" + tail43, "$7$CU....zzzzzsalt$" + tail43}) {
        CAPTURE(stored);
        CHECK(fault_of(stored) == PasswordFault::too_costly);
    }
    CHECK(StoredPassword::parse("$y$jDT$salt$" + tail43).has_value());  // N = 2^16, r = 32: 256 MiB
}

TEST_CASE("password schemes: a locked account matches nothing") {
    for (const std::string_view stored :
         {"*"sv, "!"sv, "!!"sv, "{CRYPT}*LK*"sv, "!abNANd1rDfiNc"sv}) {
        CAPTURE(stored);
        const auto parsed = StoredPassword::parse(stored);
        REQUIRE(parsed.has_value());
        CHECK(parsed->is_locked());
        CHECK(parsed->verify("secret") == false);
        CHECK(parsed->verify(stored) == false);
    }
    CHECK_FALSE(StoredPassword::parse("{PLAIN}*")->is_locked());
}

TEST_CASE("password schemes: only what takes microseconds is verified inline") {
    CHECK(StoredPassword::parse("{PLAIN}x")->is_cheap());
    CHECK(StoredPassword::parse("{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=")->is_cheap());
    CHECK_FALSE(StoredPassword::parse("abNANd1rDfiNc")->is_cheap());
    CHECK_FALSE(StoredPassword::parse(argon2_hashes_of_password[0])->is_cheap());
}

TEST_CASE("password schemes: only PLAIN gives its secret (APOP)") {
    CHECK(StoredPassword::parse("{PLAIN}tanstaaf")->plain_secret()->text() == "tanstaaf");
    CHECK(StoredPassword::parse("{PLAIN.b64}c2VjcmV0")->plain_secret()->text() == "secret");
    CHECK_FALSE(
        StoredPassword::parse("{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=")->plain_secret().has_value());
}

TEST_CASE("password schemes: the longest password is hashed, one octet more is refused") {
    const std::string longest(password_octets_max, 'x');
    const auto made = hash_password(longest, "SHA512-CRYPT");
    REQUIRE(made.has_value());
    CHECK(verify_password(longest, *made) == true);
    CHECK(verify_password(longest + "x", *made) == false);
    CHECK(hash_password(longest + "x", "SHA512-CRYPT").error() == PasswordFault::malformed);
}

}  // namespace restante
