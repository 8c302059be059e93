#include "auth/jwt_verifier.h"

#include <string>

namespace restante {
namespace {

/// On a helper thread. The references outlive it.
class JwtWork final : public Work {
public:
    JwtWork(std::string_view token, const JwtSettings& settings, WallTime now)
        : token_(token), settings_(settings), now_(now) {}
    void run() override { result = user_of_jwt(token_, settings_.keys, settings_.expected, now_); }

    TokenUser result = std::unexpected("the token was not looked at");

private:
    std::string_view token_;
    const JwtSettings& settings_;
    const WallTime now_;
};

}  // namespace

Task<Result<TokenUser>> JwtVerifier::user_of(std::string_view token) {
    JwtWork work(token, *settings_, ring_.wall_time());
    const std::int64_t ran = co_await perform(ring_, Request::offload(HelperKind::hashing, work));
    if (ran < 0) {
        co_return std::unexpected(error_of_errno(static_cast<int>(-ran), "verify token"));
    }
    co_return std::move(work.result);
}

}  // namespace restante
