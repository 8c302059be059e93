#pragma once
/// Whose an OAuth token is (RFC 6750): told by its own signature (jwt_verifier.h), or by who made
/// it (introspection.h).

#include <expected>
#include <string>
#include <string_view>

#include "auth/verifier.h"
#include "base/result.h"
#include "ring/task.h"

namespace restante {

/// The name in the token's user claim; or a literal, for the log, why the token is not good.
using TokenUser = std::expected<std::string, const char*>;

/// The views and the reference outlive the answer.
struct TokenQuery {
    std::string_view token;
    std::string_view user;  ///< whose the client says it is; "" = it does not
    const LoginOrigin& origin;
};

class TokenVerifier {
public:
    virtual ~TokenVerifier() = default;
    /// The Error: nobody can tell now; it has been logged.
    virtual Task<Result<TokenUser>> user_of(TokenQuery query) = 0;
};

}  // namespace restante
