#pragma once
/// Tokens that tell by themselves whose they are (jwt.h).

#include <memory>
#include <optional>
#include <utility>

#include "auth/hashing.h"
#include "auth/jwt.h"
#include "auth/token_verifier.h"
#include "base/log.h"
#include "ring/ring.h"

namespace restante {

/// What all reactors share.
struct JwtSettings {
    JwtKeys keys;
    TokenExpectations expected;
};

/// What it works with; outlives it.
struct JwtService {
    Ring& ring;
    Log& log;
    Hashing& hashing;
};

/// One a reactor. Signatures are verified where passwords are, and wait their turn with them.
/// Nothing is remembered of a token.
class JwtVerifier final : public TokenVerifier {
public:
    JwtVerifier(JwtService service, std::shared_ptr<const JwtSettings> settings)
        : service_(service), settings_(std::move(settings)) {}
    Task<Result<TokenUser>> user_of(TokenQuery query) override;

private:
    Error report_busy();

    const JwtService service_;
    const std::shared_ptr<const JwtSettings> settings_;
    std::optional<Instant> busy_said_at_;
};

}  // namespace restante
