// JSON Web Tokens against the keys of RFC 7515 A.2 and A.3: nobody is let in but by the two texts
// that were signed there. Input: an octet; even: the token; odd: header, NUL, claims, NUL,
// signature, which become a token here.
#include <algorithm>
#include <string>

#include "auth/jwt.h"
#include "auth/sasl_exchange.h"
#include "base/assert.h"
#include "base/base64.h"
#include "fuzz/input.h"
#include "fuzz/target.h"

namespace restante::fuzz {
namespace {

constexpr std::string_view key_set =
    R"({"keys":[{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",)"
    R"("y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"},{"kty":"RSA","e":"AQAB","n":")"
    "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4"
    "d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5re"
    "xMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxX"
    "FvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ\"}]}";
constexpr std::string_view rs256_text =
    "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLm"
    "NvbS9pc19yb290Ijp0cnVlfQ";
constexpr std::string_view es256_text =
    "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLm"
    "NvbS9pc19yb290Ijp0cnVlfQ";
constexpr WallTime before_expiry{.nanoseconds = 1'300'000'000'000'000'000};
constexpr WallTime after_expiry{.nanoseconds = 1'400'000'000'000'000'000};

const JwtKeys& keys() {
    static const JwtKeys parsed = *JwtKeys::parse(key_set);
    return parsed;
}

std::string url_encoded(std::string_view octets) {
    std::string text = base64_encode(octets);
    std::ranges::replace(text, '+', '-');
    std::ranges::replace(text, '/', '_');
    text.erase(std::min(text.find('='), text.size()));
    return text;
}

std::string token_of(Input& parts) {
    if (parts.octet() % 2 == 0) return std::string(parts.rest());
    const std::string header = url_encoded(parts.until('\0'));
    const std::string claims = url_encoded(parts.until('\0'));
    return header + '.' + claims + '.' + url_encoded(parts.rest());
}

}  // namespace

void fuzz_jwt(std::string_view input) {
    Input parts(input);
    const std::string token = token_of(parts);
    TokenExpectations expected;
    expected.user_claim = "iss";
    const TokenUser user = user_of_jwt(token, keys(), expected, before_expiry);
    ASSERT(!user_of_jwt(token, keys(), expected, after_expiry));
    if (!user) return;
    const std::string_view text = std::string_view(token).substr(0, token.rfind('.'));
    ASSERT(text == rs256_text || text == es256_text);
    ASSERT(*user == "joe" && token.size() <= token_octets_max);
}

}  // namespace restante::fuzz
