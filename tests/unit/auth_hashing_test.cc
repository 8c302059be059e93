// Who is hashed next, who not any more, and how much memory all have together.
#include "auth/hashing.h"

#include <doctest/doctest.h>

#include <atomic>
#include <cerrno>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "auth/hash_memory.h"
#include "auth/hash_queue.h"
#include "sim/account_ring.h"

using namespace std::chrono_literals;

namespace restante::sim {
namespace {

constexpr Duration hash_time = 10ms;

/// A queue of one reactor whose helper hashes one at a time; of two, one is ready.
class Line {
public:
    explicit Line(Duration wait_max = 1h)
        : sim_({}), ring_(sim_, 1, hash_time), queue_(ring_, {hashes_a_helper, wait_max}) {}

    void come(std::string name, HashTurn turn) {
        Visit& visit = visits_.emplace_back(*this, std::move(name));
        visit.task.emplace(run(visit, turn));
        visit.task->start([](void*) {}, nullptr);
    }
    void come(std::string name, HashRank rank, std::uint64_t user) {
        come(std::move(name), HashTurn{rank, user});
    }
    /// Names in the order in which they were hashed, "!" before those that were not.
    std::string end() {
        CHECK(sim_.run_until_idle());
        CHECK(queue_.waiting() == 0);
        return std::exchange(order_, {});
    }
    SimRing& sim() { return sim_; }

private:
    struct Visit final : public Work {
        Visit(Line& of, std::string called) : line(of), name(std::move(called)) {}
        void run() override { line.order_ += name; }
        Line& line;
        std::string name;
        std::optional<Task<void>> task;
    };
    Task<void> run(Visit& visit, HashTurn turn) {
        const std::int64_t ran = co_await queue_.run(visit, turn);
        if (ran == -ETIMEDOUT) order_ += "!" + visit.name;
    }

    SimRing sim_;
    AccountRing ring_;
    HashQueue queue_;
    std::list<Visit> visits_;
    std::string order_;
};

}  // namespace

TEST_CASE("hash queue: the known first, then those with a token; one in four is of a lower rank") {
    Line line;
    line.come("x", HashRank::over_budget, 0);  // these two are with the helpers at once
    line.come("y", HashRank::over_budget, 1);
    for (std::uint64_t user = 10; user < 16; ++user) line.come("o", HashRank::over_budget, user);
    for (std::uint64_t user = 20; user < 26; ++user) line.come("t", HashRank::with_token, user);
    CHECK(line.end() == "xytttotttooooo");
    line.come("x", HashRank::over_budget, 0);
    line.come("y", HashRank::over_budget, 1);
    line.come("o", HashRank::over_budget, 2);
    line.come("t", HashRank::with_token, 3);
    line.come("k", HashRank::known, 4);
    CHECK(line.end() == "xykto");
}

TEST_CASE("hash queue: names take turns, those of one name come in their order") {
    Line line;
    for (const char* name : {"a", "b", "c", "d", "e", "f"}) {
        line.come(name, HashRank::over_budget, 1);
    }
    line.come("O", HashRank::over_budget, 2);
    line.come("P", HashRank::over_budget, 3);
    line.come("Q", HashRank::over_budget, 3);
    CHECK(line.end() == "abcOPdQef");
    line.come("a", HashRank::over_budget, 1);
    CHECK(line.end() == "a");
}

TEST_CASE(
    "hash queue: a stream of new names keeps nobody waiting, also not who has waited before") {
    Line line;
    for (std::uint64_t name = 1; name < 200; ++name) {
        line.come("x", HashRank::with_token, name);
        if (name == 2) line.come("O", HashRank::with_token, 0);
        line.come("x", HashRank::with_token, 1000 + name);
        if (name == 100) line.come("O", HashRank::with_token, 0);
        line.sim().run_for(hash_time);
    }
    const std::string order = line.end();
    const std::size_t first = order.find('O');
    CHECK(first < 50);
    CHECK(order.find('O', first + 1) < 300);  // of 400
}

TEST_CASE("hash queue: who waits too long, or beyond the own deadline, is not hashed any more") {
    Line line(35ms);
    for (const char* name : {"a", "b", "c", "d", "e", "f"}) {
        line.come(name, HashRank::with_token, 1);
    }
    const HashTurn urgent{HashRank::with_token, 2, line.sim().now() + 5ms};
    line.come("u", urgent);
    CHECK(line.end() == "!uabc!fde");
    line.come("g", HashRank::with_token, 1);
    CHECK(line.end() == "g");
}

TEST_CASE(
    "hash memory: all hashes together have no more than there is, and who waits in vain gets "
    "none") {
    HashMemory memory(hash_memory_kib_max + 100, 1h);
    std::atomic<std::uint64_t> in_use = 0;
    std::atomic<bool> is_exceeded = false;
    std::vector<std::thread> threads;
    for (std::uint64_t kib : {hash_memory_kib_max, hash_memory_kib_max / 2, std::uint64_t{100}}) {
        threads.emplace_back([&, kib] {
            for (int i = 0; i < 200; ++i) {
                const HashMemory::Share share = memory.take(kib);
                if (in_use.fetch_add(kib) + kib > hash_memory_kib_max + 100) is_exceeded = true;
                in_use -= kib;
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK_FALSE(is_exceeded);

    HashMemory scarce(hash_memory_kib_max, 1ms);
    {
        const HashMemory::Share all = scarce.take(hash_memory_kib_max);
        CHECK(all.is_had());
        CHECK_FALSE(scarce.take(1).is_had());
    }
    CHECK(scarce.take(hash_memory_kib_max).is_had());
}

TEST_CASE("stored passwords say how much memory they take") {
    const auto kib = [](const char* stored) { return StoredPassword::recall(stored).memory_kib(); };
    CHECK(kib("{PLAIN}secret") == 0);
    CHECK(kib("{CRYPT}!") == 0);
    CHECK(kib("{CRYPT}$1$saltsalt$9xy1btjgzLYfb7hivXtC//") == 0);
    CHECK(kib("{CRYPT}abJnggxhB/yWI") == 0);
    CHECK(kib("{ARGON2ID}$argon2id$v=19$m=65536,t=2,p=1$c2FsdHNhbHQ$aGFzaA") == 65536);
    CHECK(kib("{CRYPT}$y$j9T$saltsalt$0000000000000000000000000000000000000000000") == 16384);
    CHECK(kib("{CRYPT}$7$CU..../....saltsalt$0000000000000000000000000000000000000000000") ==
          65536);
}

TEST_CASE("hashing: a wrong password costs the address its token, the right one nothing") {
    SimRing sim({});
    AccountRing ring(sim, 1, hash_time);
    Throttle throttle({2s, 30s, {}});
    HashMemory memory(hash_memory_kib_max, 1s);
    Hashing hashing(ring, throttle, memory, {hashes_a_helper, 10s});
    const LoginOrigin origin{SocketAddress::parse("192.0.2.1:1").value()};
    const StoredPassword stored =
        StoredPassword::recall("{CRYPT}$1$saltsalt$9xy1btjgzLYfb7hivXtC//");
    const auto tokens_after = [&](std::string_view secret, bool is_known, bool exists) {
        sim.run_for(1h);
        for (int i = 0; i < 10; ++i) {
            auto task = hashing.verify(secret, stored, {"mrose", origin, is_known, exists});
            task.start([](void*) {}, nullptr);
            CHECK(sim.run_until([&task] { return task.is_done(); }));
            CHECK(task.take().waited == 0);
        }
        std::uint32_t left = 0;
        while (throttle.take_token(throttle.key_of(origin.peer), sim.now())) ++left;
        return left;
    };
    CHECK(tokens_after("secret", false, true) == address_tokens);
    CHECK(tokens_after("secret", true, true) == address_tokens);
    CHECK(tokens_after("guess", false, true) == address_tokens - 10);
    CHECK(tokens_after("secret", false, false) == address_tokens - 10);  // of nobody
}

}  // namespace restante::sim
