#include "auth/verification_cache.h"

#include <doctest/doctest.h>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include "unit/passwd_world.h"

using namespace std::chrono_literals;

namespace restante {
namespace {

constexpr Instant start = Instant{} + 1h;

std::unique_ptr<VerificationCache> cache_of(Duration ttl) {
    auto made = VerificationCache::make(ttl);
    REQUIRE(made.has_value());
    return std::move(*made);
}

/// Tags of one set: they share the last word.
VerificationCache::Tag tag_in_set(std::uint64_t set, std::uint64_t number) {
    return {number, ~number, number * 7, set};
}

/// Of the password "secret", with two salts.
constexpr std::string_view hash = "{CRYPT}$1$saltsalt$9xy1btjgzLYfb7hivXtC//";
constexpr std::string_view other_hash = "{CRYPT}$1$othersal$clUgjDgiZsHiMWL3fqYlD.";

}  // namespace

TEST_CASE("cache: a login is held until ttl after its verification, asked for or not") {
    const auto cache = cache_of(5min);
    const VerificationCache::Tag tag = cache->tag_of({"mrose", "secret", hash});
    CHECK_FALSE(cache->holds(tag, start));
    cache->remember(tag, start);
    for (const Duration after : {0min, 1min, 4min}) CHECK(cache->holds(tag, start + after));
    CHECK(cache->holds(tag, start + 5min - 1ns));
    CHECK_FALSE(cache->holds(tag, start + 5min));
    cache->remember(tag, start + 5min);
    CHECK(cache->holds(tag, start + 10min - 1ns));
}

TEST_CASE("cache: a tag is of user, password and stored hash, and of where each ends") {
    const auto cache = cache_of(5min);
    const VerificationCache::Tag tag = cache->tag_of({"ab", "c", "d"});
    CHECK(tag == cache->tag_of({"ab", "c", "d"}));
    for (const VerificationCache::Login& other : {VerificationCache::Login{"a", "bc", "d"},
                                                  {"ab", "cd", ""},
                                                  {"abc", "", "d"},
                                                  {"ab", "C", "d"},
                                                  {"aB", "c", "d"},
                                                  {"ab", "c", "D"},
                                                  {"ab", "d", "c"},
                                                  {"c", "ab", "d"},
                                                  {"", "abcd", ""}}) {
        CHECK(tag != cache->tag_of(other));
    }
    CHECK(tag != cache_of(5min)->tag_of({"ab", "c", "d"}));  // a key of its own
}

TEST_CASE("cache: where a set is full, what expires first makes room, one entry a login") {
    const auto cache = cache_of(5min);
    constexpr std::uint64_t ways = verification_cache_ways;
    for (std::uint64_t i = 1; i <= ways; ++i) {
        cache->remember(tag_in_set(9, i), start + std::chrono::seconds(i));
    }
    cache->remember(tag_in_set(9, ways), start + 19s);  // verified again: in its own place
    for (std::uint64_t i = 1; i <= ways; ++i) CHECK(cache->holds(tag_in_set(9, i), start + 20s));
    cache->remember(tag_in_set(9, 1), start + 20s);  // not the oldest any more
    for (std::uint64_t i = 1; i <= ways; ++i) CHECK(cache->holds(tag_in_set(9, i), start + 20s));
    cache->remember(tag_in_set(9, ways + 1), start + 21s);
    CHECK_FALSE(cache->holds(tag_in_set(9, 2), start + 21s));
    for (const std::uint64_t i : {std::uint64_t{1}, std::uint64_t{3}, ways, ways + 1}) {
        CHECK(cache->holds(tag_in_set(9, i), start + 21s));
    }
    CHECK_FALSE(cache->holds(tag_in_set(10, 1), start + 21s));
}

TEST_CASE("cache: a tag that differs in any word is not held") {
    const auto cache = cache_of(5min);
    cache->remember({1, 2, 3, 4}, start);
    CHECK(cache->holds({1, 2, 3, 4}, start));
    for (const VerificationCache::Tag& other :
         {VerificationCache::Tag{0, 2, 3, 4}, {1, 0, 3, 4}, {1, 2, 0, 4}, {1, 2, 3, 0}}) {
        CHECK_FALSE(cache->holds(other, start));
    }
    CHECK_FALSE(cache->holds({0, 0, 0, 0}, start));  // what empty entries look like
    CHECK_FALSE(cache->holds({0, 0, 0, 0}, Instant{}));
}

TEST_CASE("cache: an entry read while it is written is of no other login, and not of an old one") {
    const auto cache = cache_of(1s);
    constexpr int rounds = 20'000;
    const VerificationCache::Tag expired = tag_in_set(3, 1);
    cache->remember(expired, start);
    std::thread writer([&cache] {
        for (int i = 0; i < rounds; ++i) cache->remember(tag_in_set(3, 2 + i % 8), start + 1h);
    });
    int believed = 0;
    for (int i = 0; i < rounds; ++i) {
        if (cache->holds(expired, start + 1h)) ++believed;
        if (cache->holds({2, ~3u, 4 * 7, 3}, start + 1h)) ++believed;
    }
    writer.join();
    CHECK(believed == 0);
}

TEST_CASE("cached logins: the right password is hashed once in cache_ttl, counted from its hash") {
    World world(true, users, 5min);
    const Instant started = world.ring.time + passwd_look_interval;
    CHECK(world.accepts("hashed", "secret"));
    CHECK(world.ring.hashed == 1);
    CHECK(world.accepts("HASHED@example.org", "secret"));  // the same user
    world.ring.time = started + 5min - passwd_look_interval - 1ns;
    CHECK(world.accepts("hashed", "secret"));
    CHECK(world.ring.hashed == 1);
    CHECK(world.ring.time == started + 5min - 1ns);
    world.ring.time = started + 5min - passwd_look_interval;
    CHECK(world.accepts("hashed", "secret"));
    CHECK(world.ring.hashed == 2);
}

TEST_CASE("cached logins: a hit gives the account as the file has it now") {
    World world(true, users, 5min);
    CHECK(world.accepts("hashed", "secret"));
    world.write_users("hashed@example.org:" + std::string(hash) + "::::/home/new\n");
    const Result<Verdict> verdict = world.log_in("hashed", "secret");
    REQUIRE(verdict.has_value());
    REQUIRE(std::holds_alternative<Account>(*verdict));
    CHECK(std::get<Account>(*verdict).home == "/home/new");
    CHECK(world.ring.hashed == 1);
}

TEST_CASE("cached logins: a wrong password is hashed each time, right after a hit too") {
    World world(true, users, 5min);
    for (int logins = 1; logins <= 3; ++logins) {
        CHECK(world.accepts("hashed", "secret"));
        CHECK_FALSE(world.accepts("hashed", "Secret"));
        CHECK_FALSE(world.accepts("hashed", ""));
        CHECK(world.ring.hashed == 1 + 2 * logins);
    }
}

TEST_CASE(
    "cached logins: unknown and barred users are hashed each time, with a password that was right "
    "too") {
    World world(true, users, 5min);
    CHECK(world.accepts("hashed", "secret"));
    for (const std::string_view user : {"nobody", "away", "locked", "a/b", ""}) {
        CAPTURE(user);
        for (int login = 1; login <= 2; ++login) {
            world.ring.hashed = 0;
            CHECK_FALSE(world.accepts(user, "secret"));
            CHECK(world.ring.hashed == 1);
        }
    }
}

TEST_CASE("cached logins: what an unknown user's password happened to match is not remembered") {
    World world(true, users, 5min);
    CHECK_FALSE(world.accepts("newcomer@example.org", "secret"));
    world.write_users("newcomer@example.org:" + std::string(hash) + "\n");
    CHECK(world.accepts("newcomer@example.org", "secret"));
    CHECK(world.ring.hashed == 2);
}

TEST_CASE("cached logins: one user's password is not another's, though both have one hash") {
    World world(true, users, 5min);
    CHECK(world.accepts("hashed", "secret"));
    CHECK(world.accepts("other", "secret"));
    CHECK(world.ring.hashed == 2);
}

TEST_CASE("cached logins: a changed hash, a barred and a removed user count at once") {
    World world(true, users, 5min);
    CHECK(world.accepts("hashed@example.org", "secret"));
    const std::string line = "hashed@example.org:" + std::string(hash);
    world.write_users(line + "::::::nologin\nother@example.org:" + std::string(hash) + "\n");
    CHECK_FALSE(world.accepts("hashed@example.org", "secret"));
    world.write_users("other@example.org:" + std::string(hash) + "\n");
    CHECK_FALSE(world.accepts("hashed@example.org", "secret"));
    CHECK(world.ring.hashed == 3);
    world.write_users("hashed@example.org:" + std::string(other_hash) + "\n");
    CHECK(world.accepts("hashed", "secret"));
    CHECK(world.ring.hashed == 4);
    world.write_users("hashed@example.org:{PLAIN}another\n");
    CHECK_FALSE(world.accepts("hashed", "secret"));
    CHECK(world.ring.hashed == 4);
}

TEST_CASE("cached logins: without one every login is hashed") {
    World world;
    for (int logins = 1; logins <= 2; ++logins) {
        CHECK(world.accepts("hashed", "secret"));
        CHECK(world.ring.hashed == logins);
    }
}

TEST_CASE(
    "cached logins: a login that was refused for a full queue is not remembered, a hit needs no "
    "queue") {
    World world(true, users, 5min);
    world.ring.queue_is_full = true;
    CHECK_FALSE(world.log_in("hashed", "secret").has_value());
    world.ring.queue_is_full = false;
    CHECK(world.accepts("hashed", "secret"));
    CHECK(world.ring.hashed == 2);
    world.ring.queue_is_full = true;
    CHECK(world.accepts("hashed", "secret"));
}

}  // namespace restante
