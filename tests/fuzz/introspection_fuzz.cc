// Answers of an introspection end point, and claims of a JWT: who is let in was named, in time, and
// by whoever asks for less as well. Input: an octet for what is expected, then the JSON.
#include <string>

#include "auth/json_object.h"
#include "auth/token_claims.h"
#include "auth/user_name.h"
#include "base/assert.h"
#include "fuzz/input.h"
#include "fuzz/target.h"

namespace restante::fuzz {
namespace {

constexpr WallTime now{.nanoseconds = 1'700'000'000'000'000'000};
constexpr double now_seconds = 1.7e9;
constexpr double leeway = 60;

TokenExpectations expected_of(std::uint8_t bits) {
    TokenExpectations expected;
    if ((bits & 1U) != 0) expected.issuer = "https://id.example.org";
    if ((bits & 2U) != 0) expected.audience = "pop";
    if ((bits & 4U) != 0) expected.scope = "mail read";
    if ((bits & 8U) != 0) expected.user_claim = "username";
    return expected;
}

void check_accepted(const JsonObject& claims, const std::string& user,
                    const TokenExpectations& expected, TokenSource source) {
    ASSERT(!user.empty() && user.size() <= user_name_octets_max);
    ASSERT(claims.text(expected.user_claim.c_str()) == user);
    const json_t* end = claims.member("exp");
    ASSERT(end != nullptr || source == TokenSource::introspection);
    if (end != nullptr)
        ASSERT(json_is_number(end) && json_number_value(end) > now_seconds - leeway);
    if (source == TokenSource::introspection) ASSERT(json_is_true(claims.member("active")));
    if (!expected.issuer.empty()) ASSERT(claims.text("iss") == expected.issuer);
}

void check(std::string_view json, const TokenExpectations& expected, TokenSource source) {
    const TokenUser user = user_of_claims(json, source, expected, now);
    if (!user) {
        ASSERT(*user.error() != '\0');
        return;
    }
    const auto claims = JsonObject::parse(json, {token_json_octets_max, token_json_depth_max});
    ASSERT(claims.has_value());
    check_accepted(*claims, *user, expected, source);
    TokenExpectations less;
    less.user_claim = expected.user_claim;
    ASSERT(user_of_claims(json, source, less, now) == user);
    ASSERT(!JsonObject::parse(json, {json.size() - 1, token_json_depth_max}));
}

}  // namespace

void fuzz_introspection(std::string_view input) {
    Input parts(input);
    const std::uint8_t bits = parts.octet();
    const TokenExpectations expected = expected_of(bits);
    check(parts.rest(), expected, TokenSource::introspection);
    check(parts.rest(), expected, TokenSource::jwt);
}

}  // namespace restante::fuzz
