#include "auth/jwt.h"

#include "auth/base64_url.h"
#include "auth/json_object.h"
#include "auth/sasl_exchange.h"
#include "auth/user_name.h"

namespace restante {
namespace {

constexpr std::size_t header_octets_max = 4096;
constexpr std::size_t header_depth_max = 4;

/// RFC 7515 §4.1.
struct Header {
    JwtAlgorithm algorithm;
    std::optional<std::string> key_id;
};

std::expected<Header, const char*> parse_header(std::string_view json) {
    const std::optional<JsonObject> header =
        JsonObject::parse(json, {header_octets_max, header_depth_max});
    if (!header) return std::unexpected("the token is malformed");
    if (header->has("crit")) return std::unexpected("the token asks for an unknown extension");
    const std::string_view type = header->text("typ").value_or("");
    const bool is_jwt = !header->has("typ") || same_user(type, "JWT", NameMatch::ignore_case) ||
                        same_user(type, "at+jwt", NameMatch::ignore_case) ||
                        same_user(type, "application/at+jwt", NameMatch::ignore_case);
    if (!is_jwt) return std::unexpected("the token is of another type than JWT or at+jwt");
    Header read{};
    if (const std::optional<std::string_view> id = header->text("kid")) read.key_id = *id;
    const std::optional<std::string_view> algorithm = header->text("alg");
    if (algorithm == "RS256") {
        read.algorithm = JwtAlgorithm::rs256;
    } else if (algorithm == "ES256") {
        read.algorithm = JwtAlgorithm::es256;
    } else {
        return std::unexpected("the token is signed with neither RS256 nor ES256");
    }
    return read;
}

}  // namespace

TokenUser user_of_jwt(std::string_view token, const JwtKeys& keys,
                      const TokenExpectations& expected, WallTime now) {
    const std::unexpected<const char*> malformed("the token is no JWT");
    if (token.size() > token_octets_max) return malformed;
    const std::size_t first = token.find('.');
    const std::size_t last = token.rfind('.');
    if (first == std::string_view::npos || first == last) return malformed;
    const std::string_view body = token.substr(first + 1, last - first - 1);
    const std::optional<std::string> header_json = base64_url_decode(token.substr(0, first));
    const std::optional<std::string> claims_json = base64_url_decode(body);
    const std::optional<std::string> signature = base64_url_decode(token.substr(last + 1));
    if (!header_json || !claims_json || !signature) return malformed;
    const std::expected<Header, const char*> header = parse_header(*header_json);
    if (!header) return std::unexpected(header.error());
    const JwtKeys::Signed to_verify{token.substr(0, last), *signature, header->algorithm,
                                    header->key_id};
    if (!keys.verify(to_verify))
        return std::unexpected("the token's signature is of none of the keys");
    return user_of_claims(*claims_json, TokenSource::jwt, expected, now);
}

}  // namespace restante
