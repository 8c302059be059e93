#pragma once
/// Tokens that only who made them can judge: one question by HTTP for each (RFC 7662), by libcurl.

#include <curl/curl.h>

#include <chrono>
#include <cstddef>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "auth/tally.h"
#include "auth/throttle.h"
#include "auth/token_claims.h"
#include "auth/token_verifier.h"
#include "base/clock.h"
#include "base/free_with.h"
#include "base/log.h"
#include "ring/ring.h"

namespace restante {

/// Questions of one reactor under way at a time: they may all wait for an end point that hangs.
inline constexpr std::size_t introspections_max = 64;
/// Of these, those of one address (throttle.h): a crowd with made-up tokens leaves room for others.
inline constexpr std::uint32_t introspections_an_address_max = 16;
/// Which helpers ask: those that wait for other machines anyway, not for cores.
inline constexpr HelperKind introspection_helper = HelperKind::tokens;

struct IntrospectionSettings {
    std::string endpoint;                     ///< https://..., or http:// to this machine
    std::string client_id;                    ///< "" = the end point asks for none
    std::string client_secret;                ///< wiped at the end
    std::string ca_file;                      ///< PEM; "" = the system's
    std::chrono::milliseconds timeout{5000};  ///< of all of it, connecting included
    TokenExpectations expected;               ///< user_claim is "username" to begin with

    IntrospectionSettings() { expected.user_claim = "username"; }
    IntrospectionSettings(const IntrospectionSettings&) = delete;
    IntrospectionSettings& operator=(const IntrospectionSettings&) = delete;
    ~IntrospectionSettings();
};

/// Before the first thread: libcurl is made ready, and the settings are looked at. The error is a
/// sentence for an operator.
std::expected<void, std::string> prepare_introspection(const IntrospectionSettings& settings);

/// Which port it is at. After prepare_introspection().
std::uint16_t introspection_port(const IntrospectionSettings& settings);

/// One a reactor. Answers are not remembered: a token that was withdrawn counts for nothing at
/// once. Connections are kept, with the handles. No other end point is ever talked to: no
/// redirection is followed, no proxy used.
class Introspection final : public TokenVerifier {
public:
    /// `throttle` tells addresses apart.
    Introspection(Ring& ring, Log& log, const Throttle& throttle,
                  std::shared_ptr<const IntrospectionSettings> settings)
        : ring_(ring), log_(log), throttle_(throttle), settings_(std::move(settings)) {}
    Task<Result<TokenUser>> user_of(TokenQuery query) override;

private:
    using Handle = std::unique_ptr<CURL, FreeWith<curl_easy_cleanup>>;
    Handle take_handle();
    Error report(std::string_view cause);

    Ring& ring_;
    Log& log_;
    const Throttle& throttle_;
    const std::shared_ptr<const IntrospectionSettings> settings_;
    Tally of_addresses_;
    std::vector<Handle> idle_;
    std::size_t under_way_ = 0;
    std::optional<Instant> said_at_;
};

}  // namespace restante
