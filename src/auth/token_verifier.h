#pragma once
/// Whose an OAuth token is (RFC 6750): told by its own signature (jwt_verifier.h), or by who made
/// it (introspection.h).

#include <expected>
#include <string>
#include <string_view>

#include "base/result.h"
#include "ring/task.h"

namespace restante {

/// The name in the token's user claim; or a literal, for the log, why the token is not good.
using TokenUser = std::expected<std::string, const char*>;

class TokenVerifier {
public:
    virtual ~TokenVerifier() = default;
    /// The Error: nobody can tell now; it has been logged. `token` outlives it.
    virtual Task<Result<TokenUser>> user_of(std::string_view token) = 0;
};

}  // namespace restante
