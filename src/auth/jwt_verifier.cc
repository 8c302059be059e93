#include "auth/jwt_verifier.h"

#include <cerrno>
#include <string>

namespace restante {
namespace {

/// A full queue is logged once in this time.
constexpr Duration busy_log_interval = std::chrono::seconds(10);

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

Task<Result<TokenUser>> JwtVerifier::user_of(TokenQuery query) {
    JwtWork work(query.token, *settings_, service_.ring.wall_time());
    const HashApplicant applicant{
        .user = query.user, .origin = query.origin, .is_known = false, .exists = true};
    const std::int64_t ran = co_await service_.hashing.run(work, applicant);
    if (ran < 0) co_return std::unexpected(report_busy());
    if (work.result) service_.hashing.give_token_back(applicant);
    co_return std::move(work.result);
}

Error JwtVerifier::report_busy() {
    const Instant now = service_.ring.now();
    if (!busy_said_at_ || now - *busy_said_at_ >= busy_log_interval) {
        busy_said_at_ = now;
        service_.log.write(LogLevel::warn,
                           "too many logins wait for their token to be verified: some are refused "
                           "with [SYS/TEMP]");
    }
    return Error{ErrorKind::exhausted, EAGAIN, "verify token"};
}

}  // namespace restante
