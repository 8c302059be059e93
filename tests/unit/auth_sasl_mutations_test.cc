// Messages that were right once, with octets changed, lost, doubled and swapped: whatever parser
// they meet ends, and nobody gets in.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "auth/json_object.h"
#include "auth/jwt.h"
#include "auth/passwd_line.h"
#include "auth/sasl_messages.h"
#include "auth/scram.h"
#include "unit/sasl_world.h"

using namespace std::string_literals;

namespace restante {
namespace {

constexpr int rounds = 3000;
constexpr WallTime now{.nanoseconds = 1'700'000'000'000'000'000};

/// One run is one seed, and the same on every machine.
class Mutator {
public:
    std::size_t below(std::size_t limit) { return random_() % limit; }

    std::string changed(std::string text) {
        for (std::size_t n = 1 + below(4); n > 0 && !text.empty(); --n) {
            const std::size_t at = below(text.size());
            switch (below(5)) {
                case 0: text[at] = static_cast<char>(below(256)); break;
                case 1: text.erase(at, 1 + below(8)); break;
                case 2: text.insert(at, text.substr(below(text.size()), 1 + below(16))); break;
                case 3: text.insert(at, 1, ",=\"\\\0\x01 :{}[]."[below(14)]); break;
                default: std::swap(text[at], text[below(text.size())]); break;
            }
        }
        return text;
    }

private:
    std::minstd_rand random_{20261121};
};

const std::vector<std::string> messages = {
    "tim\0tim\0tanstaaf"s,
    "n,a=mrose,n=mrose,r=fyko+d2lbbFgONRv9qkxdawL",
    "p=tls-exporter,,n=m=2Crose,r=abc",
    "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
    "mrose b913a602c7eda7a495b4e6e7334d3890",
    "charset=utf-8,username=\"mrose\",realm=\"pop.example.org\",nonce=\"OA6MG9tEQGm2hh\",nc="
    "00000001,"
    "cnonce=\"OA6MHXh6VqTrRk\",digest-uri=\"pop/"
    "pop.example.org\",response=d388dad90d4bbd760a15,qop="
    "auth,authzid=\"mrose\"",
    "n,a=mrose,\x01host=pop.example.org\x01port=995\x01"
    "auth=Bearer abc\x01\x01",
    "user=mrose\x01"
    "auth=Bearer ya29.vF9dft4qmTc2\x01\x01",
    "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJtcm9zZSIsImV4cCI6MTgwMDAwMDAwMH0.AAAA",
    R"({"active":true,"username":"mrose","aud":["a","b"],"exp":1800000000,"scope":"a b"})",
    R"({"keys":[{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",)"
    R"("y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]})",
    "mrose:{PLAIN}x:1:2:g:/home/mrose:s:userdb_mail=maildir:~/M allow_nets=10.0.0.0/8,::1",
    "4096,W22ZaJ0SNY7soEsUEjb6gQ==,a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=,"
    "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=",
};

}  // namespace

TEST_CASE("parsers: any octets end in an answer") {
    Mutator mutator;
    const JwtKeys no_match = *JwtKeys::parse(messages[10]);
    for (int round = 0; round < rounds; ++round) {
        const std::string text = mutator.changed(messages[mutator.below(messages.size())]);
        CAPTURE(text);
        const auto plain = parse_plain_message(text);
        CHECK((!plain || !plain->user.empty()));
        const auto scram = parse_scram_first(text);
        CHECK((!scram || is_acts_as(scram->identity.user)));
        parse_scram_final(text);
        parse_cram_md5(text);
        const auto digest = parse_digest_md5(text, "pop.example.org");
        CHECK((!digest || is_acts_as(digest->user)));
        const auto bearer = parse_oauthbearer(text);
        CHECK((!bearer || !bearer->token.empty()));
        parse_xoauth2(text);
        CHECK_FALSE(user_of_jwt(text, no_match, {}, now).has_value());
        user_of_claims(text, TokenSource::introspection, {}, now);
        (void)JwtKeys::parse(text);
        (void)parse_scram_keys(text, DigestAlgorithm::sha256);
        (void)parse_passwd_line(text);
        (void)NetworkList::parse(text);
    }
}

TEST_CASE(
    "exchanges: any octets from the client end it, or are asked for again, and nobody gets in") {
    Mutator mutator;
    const ServerSide server;
    for (int round = 0; round < rounds / 10; ++round) {
        const auto mechanism = static_cast<SaslMechanism>(mutator.below(sasl_mechanisms));
        const auto exchange = start_sasl_exchange(mechanism, server.policy, server.channel);
        SaslStep step = exchange->start();
        int steps = 0;
        for (; step.kind == SaslStep::Kind::challenge; ++steps) {
            REQUIRE(steps < 4);
            CHECK(step.challenge.size() <= sasl_challenge_octets_max);
            const std::string text = mutator.changed(messages[mutator.below(messages.size())]);
            step = serve(*exchange, exchange->step(text), server);
        }
        CHECK(step.kind != SaslStep::Kind::authenticated);
    }
}

}  // namespace restante
