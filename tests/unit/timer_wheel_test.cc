#include "ring/timer_wheel.h"

#include <doctest/doctest.h>

#include <memory>
#include <random>
#include <vector>

namespace restante {
namespace {

const Instant start = Instant(std::chrono::hours(5));

std::unique_ptr<Operation> due_after(Duration duration) {
    return std::make_unique<Operation>(Request::sleep().until(start + duration));
}

}  // namespace

TEST_CASE("nothing expires before its deadline, and within a tick after it") {
    TimerWheel wheel(start);
    const auto operation = due_after(std::chrono::minutes(10));
    wheel.add(*operation);
    CHECK(wheel.pop_expired(start + std::chrono::minutes(10) - Duration(1)) == nullptr);
    CHECK(wheel.pop_expired(start + std::chrono::minutes(10) + TimerWheel::tick) ==
          operation.get());
    CHECK(wheel.pop_expired(start + std::chrono::hours(1)) == nullptr);
    CHECK(wheel.next_look() == never);
}

TEST_CASE("a deadline that has passed when it is added expires at the next tick") {
    TimerWheel wheel(start);
    CHECK(wheel.pop_expired(start + std::chrono::minutes(3)) == nullptr);
    const auto late = due_after(std::chrono::seconds(1));
    wheel.add(*late);
    CHECK(wheel.pop_expired(start + std::chrono::minutes(3) + TimerWheel::tick) == late.get());
}

TEST_CASE("a removed operation never expires; removing it twice does nothing") {
    TimerWheel wheel(start);
    const auto kept = due_after(std::chrono::seconds(1));
    const auto removed = due_after(std::chrono::seconds(1));
    wheel.add(*kept);
    wheel.add(*removed);
    wheel.remove(*removed);
    wheel.remove(*removed);
    CHECK(wheel.pop_expired(start + std::chrono::seconds(2)) == kept.get());
    CHECK(wheel.pop_expired(start + std::chrono::seconds(2)) == nullptr);
}

TEST_CASE("whoever sleeps until next_look() misses no deadline by more than a tick") {
    std::mt19937_64 random(7);
    TimerWheel wheel(start);
    std::vector<std::unique_ptr<Operation>> operations;
    for (int i = 0; i < 500; ++i) {
        operations.push_back(due_after(Duration(random() % 120'000'000'000)));
        wheel.add(*operations.back());
    }
    Instant now = start;
    std::size_t expired = 0;
    for (Instant look = wheel.next_look(); look != never; look = wheel.next_look()) {
        REQUIRE(look >= now);
        now = std::max(look, now + Duration(1));
        while (Operation* operation = wheel.pop_expired(now)) {
            CHECK(operation->request.deadline <= now);
            CHECK(now - operation->request.deadline <= 2 * TimerWheel::tick);
            ++expired;
        }
    }
    CHECK(expired == operations.size());
}

}  // namespace restante
