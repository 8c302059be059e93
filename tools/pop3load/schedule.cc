#include "schedule.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <numeric>
#include <utility>

#include "base/assert.h"

namespace pop3load {
namespace {

/// specmail2001: of the checks, how many are first ones; the others find the mailbox empty.
constexpr double first_check_share = 0.25;
/// specmail2001: of the users, how many are in the pool that gets mail.
constexpr double mail_pool_share = 0.925;

}  // namespace

PoolCounts pool_counts(std::size_t users, bool is_specmail) {
    if (!is_specmail) return {users, 0};
    const auto share = static_cast<std::size_t>(mail_pool_share * static_cast<double>(users));
    const std::size_t with_mail = std::max<std::size_t>(share, 1);
    return {with_mail, users - std::min(users, with_mail)};
}

Schedule::Schedule(const Plan& plan) : plan_(plan), random_(plan.seed) {
    ASSERT(plan.rate > 0);
    ASSERT(plan.part.index < std::max(plan.users[0], plan.users[1]));  // or nothing is its own
    next_.intended = plan.start;
    draw();
    if (!is_own()) advance();
}

void Schedule::advance() {
    const double mean = 1e9 / plan_.rate;
    do {
        const double gap = plan_.kind == Arrivals::fixed ? mean : random_.exponential(mean);
        next_.intended += restante::Duration(static_cast<std::int64_t>(gap));
        ++next_.number;
        draw();
    } while (!is_own());
}

void Schedule::draw() {
    next_.pool = plan_.is_specmail && random_.unit() >= first_check_share ? 1 : 0;
    ASSERT(plan_.users[next_.pool] > 0);
    place_ = drawn_[next_.pool]++ % plan_.users[next_.pool];
    next_.place = static_cast<std::uint32_t>(place_ / plan_.part.threads);
}

bool Schedule::is_own() const { return place_ % plan_.part.threads == plan_.part.index; }

Turn::Turn(std::uint64_t seed, std::uint32_t first, std::size_t users, Part part) {
    std::vector<std::uint32_t> all(users);
    std::iota(all.begin(), all.end(), first);
    Random random(seed);
    for (std::size_t i = users; i > 1; --i) std::swap(all[i - 1], all[random.below(i)]);
    for (std::size_t i = part.index; i < users; i += part.threads) users_.push_back(all[i]);
    is_free_.assign(users_.size(), 1);
    free_ = users_.size();
}

Turn::Taken Turn::take(std::size_t place) {
    ASSERT(has_free());
    ASSERT(place < users_.size());
    const char* const first = is_free_.data();
    const void* found = std::memchr(first + place, 1, is_free_.size() - place);
    if (found == nullptr) found = std::memchr(first, 1, place);
    ASSERT(found != nullptr);
    const auto taken = static_cast<std::size_t>(static_cast<const char*>(found) - first);
    is_free_[taken] = 0;
    --free_;
    next_ = (taken + 1) % users_.size();
    return {users_[taken], static_cast<std::uint32_t>(taken)};
}

void Turn::give_back(std::uint32_t place) {
    ASSERT(is_free_[place] == 0);
    is_free_[place] = 1;
    ++free_;
}

}  // namespace pop3load
