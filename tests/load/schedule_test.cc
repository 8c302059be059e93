#include "schedule.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <set>
#include <vector>

using namespace pop3load;
using namespace std::chrono_literals;

namespace {

constexpr restante::Instant start{100s};

/// What one thread takes of the first `seconds`.
std::vector<Arrival> arrivals_of(Schedule::Plan plan, std::chrono::seconds time) {
    plan.start = start;
    Schedule schedule(plan);
    std::vector<Arrival> arrivals;
    for (; schedule.next().intended < start + time; schedule.advance())
        arrivals.push_back(schedule.next());
    return arrivals;
}

struct Begun {
    restante::Instant intended;
    std::uint64_t number;
    std::uint32_t user;
    bool operator==(const Begun&) const = default;
};

/// All that `threads` take together, each user free again at once.
std::vector<Begun> begun_by(Schedule::Plan plan, std::uint32_t threads) {
    std::vector<Begun> all;
    for (std::uint32_t index = 0; index < threads; ++index) {
        plan.part = {.index = index, .threads = threads};
        const auto second = static_cast<std::uint32_t>(plan.users[0]);
        Turn turns[pools] = {Turn(plan.seed, 0, plan.users[0], plan.part),
                             Turn(plan.seed, second, plan.users[1], plan.part)};
        for (const Arrival& arrival : arrivals_of(plan, 10s)) {
            REQUIRE(turns[arrival.pool].has_free());
            const Turn::Taken taken = turns[arrival.pool].take(arrival.place);
            turns[arrival.pool].give_back(taken.place);
            all.push_back({arrival.intended, arrival.number, taken.user});
        }
    }
    std::ranges::sort(all, {}, &Begun::number);
    return all;
}

}  // namespace

TEST_CASE("the same seed begins the same sessions of the same users, whatever the threads") {
    Schedule::Plan plan{.seed = 7, .rate = 150, .users = {10, 0}, .part = {}};
    const std::vector<Begun> one = begun_by(plan, 1);
    CHECK(one.size() > 1'350);
    CHECK(one.size() < 1'650);
    for (const std::uint32_t threads : {1U, 2U, 3U, 7U, 10U}) {
        CAPTURE(threads);
        CHECK(begun_by(plan, threads) == one);
    }
    plan.seed = 8;
    CHECK(begun_by(plan, 1) != one);
}

TEST_CASE("with two pools no thread is given sessions of a pool of which it has no user") {
    Schedule::Plan plan{.seed = 7, .rate = 150, .is_specmail = true, .part = {}};
    plan.users = pool_counts(10, true);
    CHECK(plan.users == PoolCounts{9, 1});
    CHECK(begun_by(plan, 1) == begun_by(plan, 2));
    CHECK(begun_by(plan, 1) == begun_by(plan, 5));
    CHECK(pool_counts(2, true) == PoolCounts{1, 1});
    CHECK(pool_counts(1'000, true) == PoolCounts{925, 75});
    CHECK(pool_counts(10, false) == PoolCounts{10, 0});
}

TEST_CASE("a quarter of specmail2001's checks are first ones") {
    Schedule::Plan plan{.seed = 3, .rate = 2'000, .is_specmail = true, .part = {}};
    plan.users = pool_counts(1'000, true);
    const std::vector<Arrival> arrivals = arrivals_of(plan, 10s);
    const auto first = static_cast<double>(std::ranges::count(arrivals, 0U, &Arrival::pool));
    const auto all = static_cast<double>(arrivals.size());
    CHECK(std::abs(first - all / 4) < 5 * std::sqrt(all * 0.25 * 0.75));
}

TEST_CASE("fixed arrivals are evenly spaced") {
    const auto arrivals = arrivals_of(
        {.seed = 1, .rate = 4, .kind = Arrivals::fixed, .users = {3, 0}, .part = {}}, 2s);
    REQUIRE(arrivals.size() == 8);
    for (std::size_t i = 0; i < arrivals.size(); ++i)
        CHECK(arrivals[i].intended == start + i * 250ms);
}

TEST_CASE("a user has one session at a time, and who is free comes next") {
    Turn turn(1, 100, 3, {});
    std::set<std::uint32_t> users;
    const Turn::Taken first = turn.take(1);
    const Turn::Taken second = turn.take(1);
    const Turn::Taken third = turn.take(1);
    for (const Turn::Taken& taken : {first, second, third}) users.insert(taken.user);
    CHECK(users == std::set<std::uint32_t>{100, 101, 102});
    CHECK(first.place == 1);
    CHECK(second.place == 2);
    CHECK(third.place == 0);
    CHECK_FALSE(turn.has_free());
    turn.give_back(second.place);
    REQUIRE(turn.has_free());
    CHECK(turn.take_next().user == second.user);
    CHECK_FALSE(Turn().has_free());
}
