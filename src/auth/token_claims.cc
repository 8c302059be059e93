#include "auth/token_claims.h"

#include <algorithm>
#include <optional>

#include "auth/json_object.h"
#include "auth/user_name.h"

namespace restante {
namespace {

using Fault = const char*;  // a literal, or nullptr

/// NumericDate (RFC 7519 §2): seconds, which may have a fraction.
std::optional<double> seconds_of(const json_t* value) {
    if (!json_is_number(value)) return std::nullopt;
    return json_number_value(value);
}

/// Whether `name` is missing, or a time that is not after `latest`.
bool is_not_after(const JsonObject& claims, const char* name, double latest) {
    if (!claims.has(name)) return true;
    const std::optional<double> time = seconds_of(claims.member(name));
    return time && *time <= latest;
}

Fault fault_of_times(const JsonObject& claims, TokenSource source, double leeway, double now) {
    if (claims.has("exp") || source == TokenSource::jwt) {
        const std::optional<double> expires = seconds_of(claims.member("exp"));
        if (!expires) return "the token does not say when it expires";
        if (!(*expires + leeway > now)) return "the token has expired";
    }
    if (!is_not_after(claims, "nbf", now + leeway)) return "the token is not valid yet";
    if (!is_not_after(claims, "iat", now + leeway)) return "the token is from the future";
    return nullptr;
}

/// `aud` is a string or an array of them.
bool is_for(const json_t* audience, std::string_view whom) {
    if (json_is_string(audience)) return json_text(audience) == whom;
    for (std::size_t i = 0; i < json_array_size(audience); ++i) {
        const json_t* one = json_array_get(audience, i);
        if (json_is_string(one) && json_text(one) == whom) return true;
    }
    return false;
}

/// Calls `each(word)` until it is false; whether it was for none.
template <class Each>
bool all_words(std::string_view text, Each each) {
    while (!text.empty()) {
        const std::size_t end = std::min(text.find(' '), text.size());
        const std::string_view word = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        if (!word.empty() && !each(word)) return false;
    }
    return true;
}

bool has_scope(std::string_view given, std::string_view wanted) {
    return all_words(wanted, [given](std::string_view scope) {
        return !all_words(given, [scope](std::string_view one) { return one != scope; });
    });
}

Fault fault_of_purpose(const JsonObject& claims, const TokenExpectations& expected) {
    if (!expected.issuer.empty() && claims.text("iss") != expected.issuer) {
        return "the token is of another issuer";
    }
    if (!expected.audience.empty() && !is_for(claims.member("aud"), expected.audience)) {
        return "the token is for another audience";
    }
    if (!has_scope(claims.text("scope").value_or(""), expected.scope)) {
        return "the token lacks the scope";
    }
    return nullptr;
}

}  // namespace

TokenUser user_of_claims(std::string_view json, TokenSource source,
                         const TokenExpectations& expected, WallTime now) {
    const std::optional<JsonObject> claims =
        JsonObject::parse(json, {token_json_octets_max, token_json_depth_max});
    if (!claims) return std::unexpected("what the token says is no JSON object");
    if (source == TokenSource::introspection && !json_is_true(claims->member("active"))) {
        return std::unexpected("the token is not active");
    }
    const double seconds = static_cast<double>(now.nanoseconds) / 1e9;
    const auto leeway = static_cast<double>(expected.leeway.count());
    if (Fault fault = fault_of_times(*claims, source, leeway, seconds)) {
        return std::unexpected(fault);
    }
    if (Fault fault = fault_of_purpose(*claims, expected)) return std::unexpected(fault);
    const std::optional<std::string_view> user = claims->text(expected.user_claim.c_str());
    if (!user || user->empty() || user->size() > user_name_octets_max) {
        return std::unexpected("the token does not say whose it is");
    }
    return std::string(*user);
}

}  // namespace restante
