#pragma once
/// The SASL mechanisms there are, and which of them a connection may use.

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

namespace restante {

/// In the order in which CAPA lists them: clients that take the first they know get the best.
enum class SaslMechanism : std::uint8_t {
    external,            ///< RFC 4422 appendix A
    scram_sha_256_plus,  ///< RFC 7677
    scram_sha_256,
    scram_sha_1_plus,  ///< RFC 5802
    scram_sha_1,
    oauthbearer,  ///< RFC 7628
    xoauth2,      ///< what Google and Microsoft made before it
    plain,        ///< RFC 4616
    login,        ///< draft-murchison-sasl-login
    digest_md5,   ///< RFC 2831
    cram_md5,     ///< RFC 2195
};
inline constexpr std::size_t sasl_mechanisms = 11;

/// As AUTH and CAPA carry it. Ends in a NUL.
std::string_view name_of(SaslMechanism mechanism);
/// `name` in any case, as AUTH carries it.
std::optional<SaslMechanism> find_sasl_mechanism(std::string_view name);

class SaslMechanisms {
public:
    SaslMechanisms() = default;
    SaslMechanisms(std::initializer_list<SaslMechanism> list) {
        for (const SaslMechanism mechanism : list) add(mechanism);
    }
    void add(SaslMechanism mechanism) { bits_.set(static_cast<std::size_t>(mechanism)); }
    bool has(SaslMechanism mechanism) const {
        return bits_.test(static_cast<std::size_t>(mechanism));
    }
    bool empty() const { return bits_.none(); }
    /// Calls `each(mechanism)` in CAPA's order.
    template <class Each>
    void for_each(Each each) const {
        for (std::size_t i = 0; i < sasl_mechanisms; ++i) {
            if (bits_.test(i)) each(static_cast<SaslMechanism>(i));
        }
    }
    friend bool operator==(const SaslMechanisms&, const SaslMechanisms&) = default;

private:
    std::bitset<sasl_mechanisms> bits_;
};

/// What the configuration says.
struct SaslPolicy {
    SaslMechanisms mechanisms = {SaslMechanism::plain, SaslMechanism::login};
    bool allow_cleartext = false;  ///< clear-text mechanisms without TLS
    bool apop = false;             ///< not a SASL mechanism, but of the same kind
    std::string hostname{};        ///< DIGEST-MD5's realm
    std::string token_scope{};     ///< what a refused OAuth client is told to ask for; "" = nothing
};

/// What decides which mechanisms a connection is offered.
struct SaslGround {
    bool is_encrypted = false;
    bool can_bind = false;         ///< there is a channel binding
    bool has_certificate = false;  ///< a verified one of the client's, that names somebody
};

/// What the connection brings along for an exchange; octets, not base64.
struct SaslChannel {
    bool is_encrypted = false;
    std::string tls_exporter{};      ///< RFC 9266; "" = none
    std::string tls_unique{};        ///< RFC 5929, TLS 1.2 with extended master secret; "" = none
    std::string certificate_name{};  ///< the verified client certificate's; "" = none
};

/// Whether the password or token itself crosses the wire: PLAIN, LOGIN, OAUTHBEARER, XOAUTH2.
bool is_cleartext(SaslMechanism mechanism);

/// What CAPA lists, AUTH alone lists and AUTH accepts: clear-text mechanisms under TLS, or where
/// they are allowed without; -PLUS where there is something to bind to, for whoever is offered the
/// mechanism without it; EXTERNAL for who has shown a certificate.
SaslMechanisms offered_mechanisms(const SaslPolicy& policy, SaslGround ground);
/// USER and PASS likewise.
bool offers_user(const SaslPolicy& policy, SaslGround ground);

}  // namespace restante
