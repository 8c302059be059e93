#pragma once
/// Tokens that tell by themselves whose they are (jwt.h).

#include <memory>
#include <string_view>
#include <utility>

#include "auth/jwt.h"
#include "auth/token_verifier.h"
#include "ring/ring.h"

namespace restante {

/// What all reactors share.
struct JwtSettings {
    JwtKeys keys;
    TokenExpectations expected;
};

/// One a reactor. Signatures are verified on a helper. Nothing is remembered of a token.
class JwtVerifier final : public TokenVerifier {
public:
    JwtVerifier(Ring& ring, std::shared_ptr<const JwtSettings> settings)
        : ring_(ring), settings_(std::move(settings)) {}
    Task<Result<TokenUser>> user_of(std::string_view token) override;

private:
    Ring& ring_;
    const std::shared_ptr<const JwtSettings> settings_;
};

}  // namespace restante
