// PLAIN, LOGIN, EXTERNAL, OAUTHBEARER and XOAUTH2; and which mechanisms are offered.
#include "auth/sasl_exchange.h"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

#include "auth/sasl_messages.h"

using namespace std::string_literals;
using namespace std::string_view_literals;

namespace restante {
namespace {

using Kind = SaslStep::Kind;
using enum SaslMechanism;

const SaslPolicy default_policy;
const SaslChannel no_channel;

Kind plain_kind(std::string_view response) {
    return start_sasl_exchange(plain, default_policy, no_channel)->step(response).kind;
}

std::string bearer(std::string_view gs2_header, std::string_view token) {
    return std::string(gs2_header) + "\x01host=pop.example.org\x01port=995\x01"s + "auth=Bearer " +
           std::string(token) + "\x01\x01";
}

std::string names_of(const SaslMechanisms& mechanisms) {
    std::string text;
    mechanisms.for_each([&text](SaslMechanism each) { (text += ' ') += name_of(each); });
    return text;
}

SaslPolicy everything() {
    SaslPolicy policy;
    for (std::size_t i = 0; i < sasl_mechanisms; ++i) {
        policy.mechanisms.add(static_cast<SaslMechanism>(i));
    }
    return policy;
}

}  // namespace

TEST_CASE("RFC 4616 §2: PLAIN carries user and password, and whom to act as where that is said") {
    for (const std::string_view acts_as : {""sv, "tim"sv, "Kurt"sv}) {
        const auto exchange = start_sasl_exchange(plain, default_policy, no_channel);
        const SaslStep asked = exchange->start();
        CHECK(asked.kind == Kind::challenge);
        CHECK(asked.challenge.empty());
        const SaslStep ended = exchange->step(std::string(acts_as) + "\0tim\0tanstaaf tanstaaf"s);
        REQUIRE(ended.kind == Kind::proof);
        const auto& proof = std::get<PasswordProof>(ended.proof);
        CHECK(proof.user == "tim");
        CHECK(proof.password == "tanstaaf tanstaaf");
        CHECK(proof.acts_as == acts_as);
        CHECK(exchange->user() == "tim");
        CHECK(exchange->reject().kind == Kind::failed);
    }
}

TEST_CASE("RFC 4616 §2: PLAIN has exactly two NULs, and no part after the first is empty") {
    for (const std::string_view response :
         {""sv, "tim"sv, "\0tim"sv, "\0tim\0"sv, "\0\0secret"sv, "\0\0"sv, "\0tim\0sec\0ret"sv,
          "\0tim\0secret\0"sv, "\0\0tim\0secret"sv}) {
        CAPTURE(response.size());
        CHECK(plain_kind(response) == Kind::malformed);
    }
}

TEST_CASE("PLAIN: the longest names and passwords pass, one octet more does not") {
    const std::string user(user_name_octets_max, 'u');
    const std::string password(password_octets_max, 'p');
    CHECK(plain_kind("\0"s + user + "\0"s + password) == Kind::proof);
    CHECK(plain_kind(user + "\0"s + user + "\0"s + password) == Kind::proof);
    CHECK(plain_kind(user + "u\0"s + user + "\0"s + password) == Kind::malformed);
    CHECK(plain_kind("\0"s + user + "u\0"s + password) == Kind::malformed);
    CHECK(plain_kind("\0"s + user + "\0"s + password + "p") == Kind::malformed);
    CHECK(plain_kind(std::string(sasl_response_octets_max + 1, 'x')) == Kind::malformed);
    CHECK(plain_kind("\0tim\0"s + std::string(64 * 1024, 'x')) == Kind::malformed);
}

TEST_CASE("LOGIN asks for the user name, then for the password") {
    const auto exchange = start_sasl_exchange(login, default_policy, no_channel);
    CHECK(exchange->start().challenge == "Username:");
    const SaslStep asked = exchange->step("tim");
    CHECK(asked.kind == Kind::challenge);
    CHECK(asked.challenge == "Password:");
    const SaslStep ended = exchange->step("tanstaaf");
    REQUIRE(ended.kind == Kind::proof);
    CHECK(std::get<PasswordProof>(ended.proof).user == "tim");
    CHECK(std::get<PasswordProof>(ended.proof).password == "tanstaaf");
}

TEST_CASE("LOGIN: empty, overlong and NUL-bearing answers are malformed") {
    for (const std::string& answer : {""s, "a\0b"s, std::string(64 * 1024, 'x')}) {
        CHECK(start_sasl_exchange(login, default_policy, no_channel)->step(answer).kind ==
              Kind::malformed);
        const auto second = start_sasl_exchange(login, default_policy, no_channel);
        CHECK(second->step("tim").kind == Kind::challenge);
        CHECK(second->step(answer).kind == Kind::malformed);
    }
}

TEST_CASE("RFC 4422 A: EXTERNAL is who the certificate says, acting as whom the client says") {
    const SaslChannel channel{.is_encrypted = true, .certificate_name = "tim"};
    for (const std::string_view acts_as : {"", "tim", "kurt"}) {
        const auto exchange = start_sasl_exchange(external, default_policy, channel);
        CHECK(exchange->start().challenge.empty());
        const SaslStep ended = exchange->step(acts_as);
        REQUIRE(ended.kind == Kind::proof);
        CHECK(std::get<ExternalProof>(ended.proof).user == "tim");
        CHECK(std::get<ExternalProof>(ended.proof).acts_as == acts_as);
    }
    for (const std::string& wrong : {"t im"s, "tim\0"s, std::string(256, 'x')}) {
        CHECK(start_sasl_exchange(external, default_policy, channel)->step(wrong).kind ==
              Kind::malformed);
    }
}

TEST_CASE("RFC 7628 §4.1: OAUTHBEARER carries a token, and whom it is for where that is said") {
    // The RFC's own example.
    const std::string example =
        "n,a=user@example.com,\x01host=server.example.com\x01port=143\x01"
        "auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\x01\x01";
    const auto exchange = start_sasl_exchange(oauthbearer, default_policy, no_channel);
    CHECK(exchange->start().challenge.empty());
    const SaslStep ended = exchange->step(example);
    REQUIRE(ended.kind == Kind::proof);
    CHECK(std::get<TokenProof>(ended.proof).user == "user@example.com");
    CHECK(std::get<TokenProof>(ended.proof).token == "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==");
    CHECK(parse_oauthbearer(bearer("n,,", "abc"))->user.empty());
    CHECK(parse_oauthbearer(bearer("n,a=a=2Cb=3D,", "abc"))->user == "a,b=");
    CHECK(parse_oauthbearer("n,,\x01"
                            "auth=bearer abc\x01\x01")
              ->token == "abc");
}

TEST_CASE("RFC 7628 §3.1: what is no OAUTHBEARER response is malformed") {
    const std::string good = bearer("n,,", "abc");
    CHECK(parse_oauthbearer(good).has_value());
    for (std::size_t size = 0; size < good.size(); ++size) {
        CHECK_FALSE(parse_oauthbearer(good.substr(0, size)).has_value());
    }
    for (const std::string& wrong :
         {good + "x", bearer("p=tls-unique,,", "abc"), bearer("n,b,", "abc"), bearer("n,a=,", "a"),
          bearer("n,a=x y,", "a"), bearer("n,,", ""), bearer("n,,", "a b"), bearer("n,,", "a\x7F"),
          bearer("n,,", std::string(token_octets_max + 1, 'x')),
          "n,,\x01"
          "auth=Basic abc\x01\x01"s,
          "n,,\x01"
          "auth=Bearer a\x01"
          "auth=Bearer b\x01\x01"s,
          "n,,\x01host=x\x01\x01"s, "n,,\x01\x01"s, std::string(64 * 1024, 'n')}) {
        CAPTURE(wrong.substr(0, 40));
        CHECK_FALSE(parse_oauthbearer(wrong).has_value());
    }
    CHECK(parse_oauthbearer(bearer("n,,", std::string(token_octets_max, 'x'))).has_value());
}

TEST_CASE("XOAUTH2 carries user and token in its own way") {
    const std::string good =
        "user=someuser@example.com\x01"
        "auth=Bearer ya29.vF9dft4qmTc2\x01\x01";
    const std::optional<TokenMessage> message = parse_xoauth2(good);
    REQUIRE(message.has_value());
    CHECK(message->user == "someuser@example.com");
    CHECK(message->token == "ya29.vF9dft4qmTc2");
    for (std::size_t size = 0; size < good.size(); ++size) {
        CHECK_FALSE(parse_xoauth2(good.substr(0, size)).has_value());
    }
    CHECK_FALSE(parse_xoauth2("user=\x01"
                              "auth=Bearer abc\x01\x01")
                    .has_value());
    CHECK_FALSE(parse_xoauth2("user=u\x01"
                              "auth=Bearer abc\x01\x01\x01")
                    .has_value());
}

TEST_CASE("RFC 7628 §3.2.2: a refused token is told in JSON, for which the scope is to be asked") {
    SaslPolicy policy;
    policy.token_scope = "mail";
    const auto standard = start_sasl_exchange(oauthbearer, policy, no_channel);
    CHECK(standard->step(bearer("n,,", "abc")).kind == Kind::proof);
    const SaslStep failed = standard->reject();
    CHECK(failed.kind == Kind::failed);
    CHECK(failed.challenge == R"({"status":"invalid_token","scope":"mail"})");

    const auto older = start_sasl_exchange(xoauth2, default_policy, no_channel);
    CHECK(older
              ->step("user=u\x01"
                     "auth=Bearer abc\x01\x01")
              .kind == Kind::proof);
    CHECK(older->reject().challenge == R"({"status":"401","schemes":"bearer"})");
}

TEST_CASE("SASL mechanisms are found in any case, unknown ones are not") {
    CHECK(find_sasl_mechanism("plain") == plain);
    CHECK(find_sasl_mechanism("ScRaM-sha-256-pLuS") == scram_sha_256_plus);
    for (const std::string_view name : {"", "PLAI", "PLAINX", "SCRAM-SHA-512", "GSSAPI"}) {
        CHECK_FALSE(find_sasl_mechanism(name).has_value());
    }
    for (std::size_t i = 0; i < sasl_mechanisms; ++i) {
        const auto mechanism = static_cast<SaslMechanism>(i);
        CHECK(find_sasl_mechanism(name_of(mechanism)) == mechanism);
    }
}

TEST_CASE("RFC 2595 §2.4: clear-text mechanisms are offered under TLS, or where they are allowed") {
    SaslPolicy policy = everything();
    const SaslGround clear{};
    const SaslGround encrypted{.is_encrypted = true};
    CHECK(names_of(offered_mechanisms(policy, clear)) ==
          " SCRAM-SHA-256 SCRAM-SHA-1 DIGEST-MD5 CRAM-MD5");
    CHECK_FALSE(offers_user(policy, clear));
    CHECK(names_of(offered_mechanisms(policy, encrypted)) ==
          " SCRAM-SHA-256 SCRAM-SHA-1 OAUTHBEARER XOAUTH2 PLAIN LOGIN DIGEST-MD5 CRAM-MD5");
    CHECK(offers_user(policy, encrypted));
    policy.allow_cleartext = true;
    CHECK(names_of(offered_mechanisms(policy, clear)) ==
          names_of(offered_mechanisms(policy, encrypted)));
    CHECK(offers_user(policy, clear));
}

TEST_CASE("-PLUS is offered where TLS has something to bind to, EXTERNAL with a certificate") {
    const SaslPolicy policy{.mechanisms = {scram_sha_256, external}};
    CHECK(names_of(offered_mechanisms(policy, {.is_encrypted = true})) == " SCRAM-SHA-256");
    CHECK(names_of(offered_mechanisms(policy, {.is_encrypted = true, .can_bind = true})) ==
          " SCRAM-SHA-256-PLUS SCRAM-SHA-256");
    CHECK(names_of(offered_mechanisms(policy, {.is_encrypted = true, .has_certificate = true})) ==
          " EXTERNAL SCRAM-SHA-256");
    CHECK(names_of(offered_mechanisms(policy, {.can_bind = true, .has_certificate = true})) ==
          " SCRAM-SHA-256");
    const SaslPolicy bound_only{.mechanisms = {scram_sha_256_plus}};
    CHECK(names_of(offered_mechanisms(bound_only, {.is_encrypted = true, .can_bind = true})) ==
          " SCRAM-SHA-256-PLUS");
}

TEST_CASE("without a word in the configuration PLAIN and LOGIN are offered, and nothing weaker") {
    const SaslPolicy policy;
    const SaslGround best{.is_encrypted = true, .can_bind = true, .has_certificate = true};
    CHECK(names_of(offered_mechanisms(policy, best)) == " PLAIN LOGIN");
    CHECK_FALSE(policy.apop);
}

}  // namespace restante
