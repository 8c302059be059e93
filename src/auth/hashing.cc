#include "auth/hashing.h"

#include <cerrno>
#include <utility>

namespace restante {
namespace {

/// On a helper thread. The views outlive it.
class HashWork final : public Work {
public:
    HashWork(std::string_view secret, const StoredPassword& stored, HashMemory& memory)
        : secret_(secret), stored_(stored), memory_(memory) {}

    void run() override {
        const std::uint64_t kib = stored_.memory_kib();
        if (kib == 0) {
            result = stored_.verify(secret_);
            return;
        }
        const HashMemory::Share share = memory_.take(kib);
        has_had_memory = share.is_had();
        if (has_had_memory) result = stored_.verify(secret_);
    }

    bool has_had_memory = true;
    std::expected<bool, PasswordFault> result = false;

private:
    std::string_view secret_;
    StoredPassword stored_;
    HashMemory& memory_;
};

}  // namespace

Task<Hashing::Verified> Hashing::verify(std::string_view secret, StoredPassword stored,
                                        HashApplicant applicant) {
    HashWork work(secret, stored, memory_);
    const std::int64_t ran = co_await run(work, applicant);
    if (ran < 0) co_return Verified{ran, false};
    if (!work.has_had_memory) co_return Verified{-ETIMEDOUT, false};
    if (applicant.exists && work.result && *work.result) give_token_back(applicant);
    co_return Verified{0, work.result};
}

Task<std::int64_t> Hashing::run(Work& work, HashApplicant applicant) {
    const std::uint64_t user = std::to_underlying(throttle_.key_of(applicant.user));
    HashRank rank = HashRank::known;
    if (!applicant.is_known) {
        const Throttle::AddressKey address = throttle_.key_of(applicant.origin.peer);
        const bool has_token = throttle_.take_token(address, ring_.now());
        rank = has_token ? HashRank::with_token : HashRank::over_budget;
    }
    const HashTurn turn{rank, user, applicant.origin.deadline};
    const std::int64_t ran = co_await queue_.run(work, turn);
    co_return ran;
}

void Hashing::give_token_back(const HashApplicant& applicant) {
    if (applicant.is_known) return;  // it took none
    throttle_.give_token_back(throttle_.key_of(applicant.origin.peer), ring_.now());
}

}  // namespace restante
