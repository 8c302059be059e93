#include "auth/sasl.h"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

using namespace std::string_literals;
using namespace std::string_view_literals;

namespace restante {
namespace {

using Kind = SaslStep::Kind;

Kind plain(std::string_view response) {
    SaslExchange exchange(SaslMechanism::plain);
    return exchange.step(response).kind;
}

}  // namespace

TEST_CASE("RFC 4616 §2: PLAIN carries user and password after an empty or equal authzid") {
    for (const std::string_view response :
         {"\0tim\0tanstaaf tanstaaf"sv, "tim\0tim\0tanstaaf tanstaaf"sv}) {
        SaslExchange exchange(SaslMechanism::plain);
        const SaslStep asked = exchange.start();
        CHECK(asked.kind == Kind::challenge);
        CHECK(asked.challenge.empty());
        const SaslStep ended = exchange.step(response);
        CHECK(ended.kind == Kind::proof);
        CHECK(ended.proof.user == "tim");
        CHECK(ended.proof.password == "tanstaaf tanstaaf");
    }
}

TEST_CASE("RFC 4616 §2: PLAIN to act as somebody else is refused") {
    CHECK(plain("Ursel\0Kurt\0xipj3plmq"sv) == Kind::malformed);
    CHECK(plain("tim@x\0tim\0secret"sv) == Kind::malformed);
}

TEST_CASE("RFC 4616 §2: PLAIN has exactly two NULs, and no part after the first is empty") {
    for (const std::string_view response :
         {""sv, "tim"sv, "\0tim"sv, "\0tim\0"sv, "\0\0secret"sv, "\0\0"sv, "\0tim\0sec\0ret"sv,
          "\0tim\0secret\0"sv, "\0\0tim\0secret"sv}) {
        CAPTURE(response.size());
        CHECK(plain(response) == Kind::malformed);
    }
}

TEST_CASE("PLAIN: the longest names and passwords pass, one octet more does not") {
    const std::string user(user_name_octets_max, 'u');
    const std::string password(password_octets_max, 'p');
    CHECK(plain("\0"s + user + "\0"s + password) == Kind::proof);
    CHECK(plain(user + "\0"s + user + "\0"s + password) == Kind::proof);
    CHECK(plain("\0"s + user + "u\0"s + password) == Kind::malformed);
    CHECK(plain("\0"s + user + "\0"s + password + "p") == Kind::malformed);
    CHECK(plain(std::string(sasl_response_octets_max + 1, 'x')) == Kind::malformed);
}

TEST_CASE("LOGIN asks for the user name, then for the password") {
    SaslExchange exchange(SaslMechanism::login);
    CHECK(exchange.start().challenge == "Username:");
    const SaslStep asked = exchange.step("tim");
    CHECK(asked.kind == Kind::challenge);
    CHECK(asked.challenge == "Password:");
    const SaslStep ended = exchange.step("tanstaaf");
    CHECK(ended.kind == Kind::proof);
    CHECK(ended.proof.user == "tim");
    CHECK(ended.proof.password == "tanstaaf");
}

TEST_CASE("LOGIN: empty, overlong and NUL-bearing answers are malformed") {
    for (const std::string& answer : {""s, "a\0b"s, std::string(sasl_response_octets_max, 'x')}) {
        SaslExchange first(SaslMechanism::login);
        CHECK(first.step(answer).kind == Kind::malformed);
        SaslExchange second(SaslMechanism::login);
        CHECK(second.step("tim").kind == Kind::challenge);
        CHECK(second.step(answer).kind == Kind::malformed);
    }
}

TEST_CASE("SASL mechanisms are found in any case, unknown ones are not") {
    CHECK(find_sasl_mechanism("plain") == SaslMechanism::plain);
    CHECK(find_sasl_mechanism("LoGiN") == SaslMechanism::login);
    CHECK_FALSE(find_sasl_mechanism("CRAM-MD5").has_value());
    CHECK_FALSE(find_sasl_mechanism("").has_value());
}

}  // namespace restante
