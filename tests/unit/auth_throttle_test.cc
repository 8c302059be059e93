#include "auth/throttle.h"

#include <doctest/doctest.h>

#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "auth/leaky_table.h"
#include "auth/tally.h"

using namespace std::chrono_literals;

namespace restante {
namespace {

constexpr Instant start{std::chrono::hours(1)};

Throttle::AddressKey address_of(const Throttle& throttle, std::string_view text) {
    return throttle.key_of(SocketAddress::parse(text).value());
}

/// Of the n-th IPv4 address.
SocketAddress numbered_address(std::uint32_t n) {
    SocketAddress address;
    auto& ipv4 = *reinterpret_cast<sockaddr_in*>(address.raw());
    ipv4.sin_family = AF_INET;
    ipv4.sin_addr.s_addr = htonl(0x0A00'0000 + n);
    return address;
}

struct World {
    Throttle throttle{{.failed_delay = 2s,
                       .failed_delay_max = 30s,
                       .names = {"example.org", NameMatch::ignore_case}}};
    Instant now = start;

    Duration fail(std::string_view address, std::string_view user, std::uint32_t before = 0) {
        return throttle.note_failure(address_of(throttle, address), throttle.key_of(user), before,
                                     now);
    }
};

}  // namespace

TEST_CASE(
    "leaky table: what is added leaks out drop by drop, and no bucket holds more than it may") {
    LeakyTable table({.leak = 10s, .most = 3, .inherits = false});
    CHECK(table.level(7, start) == 0);
    for (std::uint32_t before : {0, 1, 2, 3, 3}) CHECK(table.add(7, start) == before);
    CHECK(table.level(7, start + 9s) == 3);
    CHECK(table.level(7, start + 11s) == 2);
    CHECK(table.level(7, start + 30s) == 0);
    table.add(7, start + 40s);
    table.take_back(7, start + 40s);
    table.take_back(7, start + 40s);
    CHECK(table.level(7, start + 40s) == 0);
    CHECK(table.level(8, start) == 0);
}

TEST_CASE("leaky table: a million keys do not make a full bucket forgotten") {
    LeakyTable table({.leak = 10s, .most = 100, .inherits = true});
    std::mt19937_64 random(1);
    const std::uint64_t offender = random();
    for (int i = 0; i < 20; ++i) table.add(offender, start);
    for (int i = 0; i < 1'000'000; ++i) table.add(random(), start);
    CHECK(table.level(offender, start) == 20);
    // Whoever was pushed out finds at least what he left: the place is inherited.
    const std::uint64_t newcomer = random();
    CHECK(table.add(newcomer, start) >= 1);
    CHECK(table.level(offender, start + 1000s) == 0);
}

TEST_CASE("leaky table: without inheritance a newcomer starts empty however full the table is") {
    LeakyTable table({.leak = 10s, .most = 100, .inherits = false});
    std::mt19937_64 random(1);
    for (int i = 0; i < 1'000'000; ++i) table.add(random(), start);
    for (int i = 0; i < 1000; ++i) CHECK(table.add(random(), start) == 0);
}

TEST_CASE("leaky table: what threads add at the same time is all there") {
    LeakyTable table({.leak = 10s, .most = 100'000, .inherits = true});
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&table] {
            for (int n = 0; n < 10'000; ++n) table.add(42, start);
        });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(table.level(42, start) == 40'000);
}

TEST_CASE("throttle: an address is one, IPv4 mapped into IPv6 too; of IPv6 the /64 counts") {
    const World world;
    const auto key = [&world](const char* text) { return address_of(world.throttle, text); };
    CHECK(key("192.0.2.1:1") == key("192.0.2.1:2"));
    CHECK(key("192.0.2.1:1") != key("192.0.2.2:1"));
    CHECK(key("[::ffff:192.0.2.1]:1") == key("192.0.2.1:1"));
    CHECK(key("[2001:db8:0:1::1]:1") == key("[2001:db8:0:1:ffff:ffff:ffff:ffff]:9"));
    CHECK(key("[2001:db8:0:1::1]:1") != key("[2001:db8:0:2::1]:1"));
    CHECK(World().throttle.key_of(numbered_address(1)) != key("10.0.0.1:1"));  // another secret
}

TEST_CASE("throttle: ways to write a user's name are one user; what is no name is one too") {
    const Throttle throttle({2s, 30s, {"example.org", NameMatch::ignore_case}});
    const auto key = [&throttle](std::string_view name) { return throttle.key_of(name); };
    CHECK(key("mrose") == key("MRose@Example.org"));
    CHECK(key("mrose") != key("mrose@example.net"));
    CHECK(key("a/b") == key(""));
    CHECK(key(std::string(300, 'a')) == key(""));
}

TEST_CASE("throttle: the delay doubles with each failure of a user, whatever the address") {
    World world;
    CHECK(world.fail("192.0.2.1:1", "mrose") == 2s);
    CHECK(world.fail("192.0.2.2:1", "MROSE") == 4s);
    CHECK(world.fail("192.0.2.3:1", "mrose") == 8s);
    CHECK(world.fail("[2001:db8::1]:1", "mrose@example.org") == 16s);
    CHECK(world.fail("192.0.2.4:1", "mrose") == 30s);
    CHECK(world.fail("192.0.2.5:1", "other") == 2s);
    world.now += user_failure_memory * 3;
    CHECK(world.fail("192.0.2.6:1", "mrose") == 8s);  // two of five are left
    world.now += user_failure_memory * user_failures_kept_max;
    CHECK(world.fail("192.0.2.7:1", "mrose") == 2s);
}

TEST_CASE(
    "throttle: the delay doubles with every fourth failure of an address, whatever the user") {
    World world;
    for (int i = 0; i < 16; ++i) {
        const Duration delay = world.fail("192.0.2.1:1", "user" + std::to_string(i));
        CHECK(delay == 2s * (1 << (i / 4)));
    }
    CHECK(world.fail("192.0.2.1:1", "user16") == 30s);
    CHECK(world.fail("192.0.2.2:1", "user17") == 2s);
    world.now += address_failure_memory * address_failures_kept_max;
    CHECK(world.fail("192.0.2.1:1", "user18") == 2s);
}

TEST_CASE("throttle: the delay doubles with each failure of a connection, too") {
    World world;
    CHECK(world.fail("192.0.2.1:1", "a", 0) == 2s);
    CHECK(world.fail("192.0.2.1:1", "b", 3) == 16s);
    CHECK(world.fail("192.0.2.1:1", "c", 4'000'000'000) == 30s);
}

TEST_CASE(
    "throttle: without failed_delay nothing is delayed; a failed_delay_max below it is not used") {
    Throttle none({0s, 30s, {}});
    Throttle flat({5s, 0s, {}});
    for (int i = 0; i < 10; ++i) {
        const auto address = none.key_of(numbered_address(1));
        CHECK(none.note_failure(address, none.key_of("a"), 0, start) == 0s);
        CHECK(flat.note_failure(address, flat.key_of("a"), 0, start) == 5s);
    }
}

TEST_CASE("throttle: a million addresses do not make one that fails again and again forgotten") {
    World world;
    for (int i = 0; i < 40; ++i) world.fail("192.0.2.1:1", "user" + std::to_string(i));
    for (std::uint32_t n = 0; n < 1'000'000; ++n) {
        const auto address = world.throttle.key_of(numbered_address(n));
        world.throttle.note_failure(address, world.throttle.key_of("name" + std::to_string(n)), 0,
                                    world.now);
    }
    CHECK(world.fail("192.0.2.1:1", "fresh") == 30s);
    CHECK(world.fail("192.0.2.2:1", "user1") >= 4s);
    world.now += 80min;  // after the attack
    CHECK(world.fail("192.0.2.1:1", "user1") == 2s);
}

TEST_CASE("throttle: an address has so many tokens; the right password gives its own back") {
    World world;
    const auto address = address_of(world.throttle, "192.0.2.1:1");
    for (int i = 0; i < 1000; ++i) {  // a large office
        CHECK(world.throttle.take_token(address, world.now));
        world.throttle.give_token_back(address, world.now);
    }
    for (std::uint32_t i = 0; i < address_tokens; ++i) {
        CHECK(world.throttle.take_token(address, world.now));
    }
    CHECK_FALSE(world.throttle.take_token(address, world.now));
    CHECK(world.throttle.take_token(address_of(world.throttle, "192.0.2.2:1"), world.now));
    world.now += 3 * address_token_interval;
    CHECK(world.throttle.take_token(address, world.now));
    for (int i = 0; i < 1000; ++i) world.throttle.take_token(address, world.now);
    world.now += (address_tokens_owed_max + 1) * address_token_interval;
    CHECK(world.throttle.take_token(address, world.now));
}

TEST_CASE("tally: so many at a time of each, and an end makes room") {
    Tally tally;
    CHECK(tally.take(1, 0).has_value());
    std::optional<Tally::Place> first = tally.take(1, 2);
    std::optional<Tally::Place> second = tally.take(1, 2);
    REQUIRE(second.has_value());
    CHECK_FALSE(tally.take(1, 2).has_value());
    CHECK(tally.take(2, 2).has_value());
    Tally::Place moved = std::move(*first);
    first.reset();
    CHECK_FALSE(tally.take(1, 2).has_value());
    moved = Tally::Place();
    CHECK(tally.take(1, 2).has_value());
}

TEST_CASE("tally: threads that come and go leave nothing behind, and are never too many") {
    Tally tally;
    std::atomic<int> inside = 0;
    std::atomic<int> most_inside = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&] {
            for (int n = 0; n < 20'000; ++n) {
                const std::optional<Tally::Place> place = tally.take(5, 3);
                if (!place) continue;
                const int now = ++inside;
                for (int seen = most_inside; seen < now;) {
                    if (most_inside.compare_exchange_weak(seen, now)) break;
                }
                --inside;
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(most_inside <= 3);
    CHECK(tally.take(5, 1).has_value());
}

}  // namespace restante
