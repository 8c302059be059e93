#pragma once
/// What clients say in SASL, taken apart: pure functions of the decoded octets, which come from
/// strangers. Views into what was given.

#include <optional>
#include <string>
#include <string_view>

namespace restante {

/// RFC 4616 §2: [authzid] NUL authcid NUL passwd; the last two are not empty, nothing is too long.
struct PlainMessage {
    std::string_view acts_as;
    std::string_view user;
    std::string_view password;
};
std::optional<PlainMessage> parse_plain_message(std::string_view response);

/// An authorization identity alone (EXTERNAL): empty, or the octets of a user name, not too long.
bool is_acts_as(std::string_view text);

/// RFC 7628 §3.1 ("n,a=user,^Ahost=...^Aport=...^Aauth=Bearer token^A^A"), or XOAUTH2's
/// "user=...^Aauth=Bearer token^A^A". Without a channel binding; other keys do not matter.
struct TokenMessage {
    std::string user;  ///< "" = none was given
    std::string_view token;
};
std::optional<TokenMessage> parse_oauthbearer(std::string_view response);
std::optional<TokenMessage> parse_xoauth2(std::string_view response);

/// What must be known of a challenge mechanism's response before GNU SASL may see it: who it is, so
/// that the credentials can be looked up. Names have printable ASCII only: no other is a user's
/// (user_name.h), and SASLprep is not left to chew on what strangers send.
struct ClaimedIdentity {
    std::string user;
    std::string acts_as;  ///< "" = none was given
};
/// RFC 5802 §7, client-first-message: the channel binding flag ("n", "y", "p"), the names.
struct ScramFirst {
    char binding_flag;
    std::string_view binding_name;  ///< of "p", else ""
    std::string_view header;        ///< gs2-header, which the client repeats in base64
    ClaimedIdentity identity;
};
std::optional<ScramFirst> parse_scram_first(std::string_view response);
/// RFC 5802 §7, client-final-message.
struct ScramFinal {
    std::string binding;             ///< `c=`, decoded
    std::string_view without_proof;  ///< client-final-message-without-proof
    std::string proof;               ///< `p=`, decoded
};
std::optional<ScramFinal> parse_scram_final(std::string_view response);
/// RFC 2195 §2: the user, a space, 32 lower-case hex digits.
std::optional<ClaimedIdentity> parse_cram_md5(std::string_view response);
/// RFC 2831 §2.1.2. Only a response that is for POP3, for `realm`, the nonce's first, and asks for
/// no security layer.
std::optional<ClaimedIdentity> parse_digest_md5(std::string_view response, std::string_view realm);

}  // namespace restante
