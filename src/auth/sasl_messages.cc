#include "auth/sasl_messages.h"

#include <algorithm>

#include "auth/password_fault.h"
#include "auth/sasl_exchange.h"
#include "auth/user_name.h"
#include "base/base64.h"

namespace restante {
namespace {

constexpr char key_end = '\x01';  // RFC 7628: kvsep

bool is_credential(std::string_view text, std::size_t octets_max) {
    return !text.empty() && text.size() <= octets_max && text.find('\0') == std::string_view::npos;
}

bool is_printable(std::string_view text) {
    return std::ranges::all_of(text, [](char octet) { return octet > ' ' && octet <= '~'; });
}

bool is_claimed_name(std::string_view name) {
    return !name.empty() && name.size() <= user_name_octets_max && is_printable(name);
}

/// The part of `rest` before the next `separator`, which goes with it; empty where there is none.
std::optional<std::string_view> take_until(std::string_view& rest, char separator) {
    const std::size_t at = rest.find(separator);
    if (at == std::string_view::npos) return std::nullopt;
    const std::string_view part = rest.substr(0, at);
    rest.remove_prefix(at + 1);
    return part;
}

bool take_prefix(std::string_view& text, std::string_view prefix) {
    if (!text.starts_with(prefix)) return false;
    text.remove_prefix(prefix.size());
    return true;
}

bool take_prefix_in_any_case(std::string_view& text, std::string_view prefix) {
    if (!same_user(text.substr(0, prefix.size()), prefix, NameMatch::ignore_case)) return false;
    text.remove_prefix(prefix.size());
    return true;
}

/// RFC 5801 §4, saslname: "=2C" is a comma, "=3D" an equals sign.
std::optional<std::string> decode_sasl_name(std::string_view text) {
    std::string name;
    while (!text.empty()) {
        if (take_prefix(text, "=2C")) {
            name += ',';
        } else if (take_prefix(text, "=3D")) {
            name += '=';
        } else if (text[0] == '=' || text[0] == '\0') {
            return std::nullopt;
        } else {
            name += text[0];
            text.remove_prefix(1);
        }
    }
    return name;
}

/// gs2-header's second part: nothing, or "a=" and a name.
std::optional<std::string> decode_gs2_name(std::string_view part) {
    if (part.empty()) return std::string();
    if (!take_prefix(part, "a=")) return std::nullopt;
    std::optional<std::string> name = decode_sasl_name(part);
    if (!name || !is_claimed_name(*name)) return std::nullopt;
    return name;
}

/// "key=value^A" until an empty key ends it; `auth` is there once, and a bearer token (RFC 6750
/// §2.1).
std::optional<std::string_view> parse_token_keys(std::string_view rest) {
    std::optional<std::string_view> token;
    for (;;) {
        const std::optional<std::string_view> pair = take_until(rest, key_end);
        if (!pair) return std::nullopt;
        if (pair->empty()) break;
        std::string_view value = *pair;
        if (!take_prefix(value, "auth=")) continue;
        if (token || !take_prefix_in_any_case(value, "Bearer ")) return std::nullopt;
        token = value;
    }
    if (!rest.empty() || !token) return std::nullopt;
    const bool is_token =
        !token->empty() && token->size() <= token_octets_max && is_printable(*token);
    return is_token ? token : std::nullopt;
}

/// One directive of DIGEST-MD5 (RFC 2831 §7.1): key=value or key="value", and the comma after it.
struct Directive {
    std::string_view key;
    std::string value;
};

std::optional<std::string> take_quoted(std::string_view& rest) {
    std::string value;
    for (std::size_t at = 1; at < rest.size(); ++at) {
        if (rest[at] == '"') {
            rest.remove_prefix(at + 1);
            return value;
        }
        if (rest[at] == '\\' && ++at == rest.size()) return std::nullopt;
        value += rest[at];
    }
    return std::nullopt;
}

void skip_blanks_and_commas(std::string_view& rest) {
    rest.remove_prefix(std::min(rest.find_first_not_of(" \t\r\n,"), rest.size()));
}

std::optional<Directive> take_directive(std::string_view& rest) {
    const std::optional<std::string_view> key = take_until(rest, '=');
    if (!key || key->empty()) return std::nullopt;
    Directive directive{*key, {}};
    if (rest.starts_with('"')) {
        std::optional<std::string> value = take_quoted(rest);
        if (!value) return std::nullopt;
        directive.value = *std::move(value);
    } else {
        directive.value = rest.substr(0, rest.find(','));
        rest.remove_prefix(directive.value.size());
    }
    if (!rest.empty() && rest[0] != ',' && rest[0] != ' ') return std::nullopt;
    skip_blanks_and_commas(rest);
    return directive;
}

}  // namespace

std::optional<PlainMessage> parse_plain_message(std::string_view response) {
    const std::optional<std::string_view> acts_as = take_until(response, '\0');
    const std::optional<std::string_view> user = take_until(response, '\0');
    if (!acts_as || !user || acts_as->size() > user_name_octets_max) return std::nullopt;
    if (!is_credential(*user, user_name_octets_max)) return std::nullopt;
    if (!is_credential(response, password_octets_max)) return std::nullopt;
    return PlainMessage{*acts_as, *user, response};
}

bool is_acts_as(std::string_view text) { return text.empty() || is_claimed_name(text); }

std::optional<TokenMessage> parse_oauthbearer(std::string_view response) {
    if (response.size() > sasl_response_octets_max) return std::nullopt;
    // "y" says that the client could bind and this mechanism cannot: the same here.
    if (!take_prefix(response, "n,") && !take_prefix(response, "y,")) return std::nullopt;
    const std::optional<std::string_view> name = take_until(response, ',');
    if (!name || !take_prefix(response, std::string_view(&key_end, 1))) return std::nullopt;
    std::optional<std::string> user = decode_gs2_name(*name);
    const std::optional<std::string_view> token = parse_token_keys(response);
    if (!user || !token) return std::nullopt;
    return TokenMessage{*std::move(user), *token};
}

std::optional<TokenMessage> parse_xoauth2(std::string_view response) {
    if (response.size() > sasl_response_octets_max) return std::nullopt;
    if (!take_prefix(response, "user=")) return std::nullopt;
    const std::optional<std::string_view> user = take_until(response, key_end);
    if (!user || !is_claimed_name(*user)) return std::nullopt;
    const std::optional<std::string_view> token = parse_token_keys(response);
    if (!token) return std::nullopt;
    return TokenMessage{std::string(*user), *token};
}

std::optional<ScramFirst> parse_scram_first(std::string_view response) {
    std::string_view rest = response;
    const std::optional<std::string_view> flag = take_until(rest, ',');
    const std::optional<std::string_view> acts_as = take_until(rest, ',');
    if (!flag || flag->empty() || !acts_as) return std::nullopt;
    ScramFirst first{.binding_flag = (*flag)[0],
                     .binding_name = *flag,
                     .header = response.substr(0, response.size() - rest.size()),
                     .identity = {}};
    if (take_prefix(first.binding_name, "p=")) {
        if (first.binding_name.empty()) return std::nullopt;
    } else {
        if (*flag != "n" && *flag != "y") return std::nullopt;
        first.binding_name = {};
    }
    // "m=" before the name is an extension that must be understood, and none is.
    const std::optional<std::string_view> name = take_until(rest, ',');
    if (!name || !name->starts_with("n=") || !rest.starts_with("r=")) return std::nullopt;
    std::optional<std::string> user = decode_sasl_name(name->substr(2));
    std::optional<std::string> authorized = decode_gs2_name(*acts_as);
    if (!user || !is_claimed_name(*user) || !authorized) return std::nullopt;
    first.identity = {*std::move(user), *std::move(authorized)};
    return first;
}

std::optional<ScramFinal> parse_scram_final(std::string_view response) {
    constexpr std::string_view proof_begins = ",p=";
    const std::size_t end = response.rfind(proof_begins);
    if (end == std::string_view::npos || !response.starts_with("c=")) return std::nullopt;
    const std::string_view without_proof = response.substr(0, end);
    std::string_view rest = without_proof.substr(2);
    std::optional<std::string> binding = base64_decode(rest.substr(0, rest.find(',')));
    std::optional<std::string> proof = base64_decode(response.substr(end + proof_begins.size()));
    if (!binding || !proof) return std::nullopt;
    return ScramFinal{*std::move(binding), without_proof, *std::move(proof)};
}

std::optional<ClaimedIdentity> parse_cram_md5(std::string_view response) {
    const std::size_t space = response.rfind(' ');
    if (space == std::string_view::npos) return std::nullopt;
    const std::string_view user = response.substr(0, space);
    const std::string_view digest = response.substr(space + 1);
    const bool is_lower_hex = digest.find_first_not_of("0123456789abcdef") == std::string::npos;
    if (digest.size() != 32 || !is_lower_hex || !is_claimed_name(user)) return std::nullopt;
    return ClaimedIdentity{std::string(user), {}};
}

std::optional<ClaimedIdentity> parse_digest_md5(std::string_view response, std::string_view realm) {
    if (response.find('\0') != std::string_view::npos) return std::nullopt;
    ClaimedIdentity identity;
    std::string service;
    skip_blanks_and_commas(response);
    while (!response.empty()) {
        std::optional<Directive> directive = take_directive(response);
        if (!directive) return std::nullopt;
        const auto is = [&directive](std::string_view key) {
            return same_user(directive->key, key, NameMatch::ignore_case);
        };
        if (is("username")) identity.user = std::move(directive->value);
        if (is("authzid")) identity.acts_as = std::move(directive->value);
        if (is("digest-uri")) service = std::move(directive->value);
        if (is("qop") && directive->value != "auth") return std::nullopt;
        if (is("nc") && directive->value != "00000001") return std::nullopt;
        if (is("realm") && directive->value != realm) return std::nullopt;
    }
    const bool is_for_pop3 = service.starts_with("pop/") || service.starts_with("pop3/");
    if (!is_for_pop3 || !is_claimed_name(identity.user)) return std::nullopt;
    if (!is_acts_as(identity.acts_as)) return std::nullopt;
    return identity;
}

}  // namespace restante
