// 200 connections that guess passwords, and owners who want their mail meanwhile, from the same
// address and from another: the real reactor, sessions, verifier, cache and throttle; simulated
// are the network, time, and what a hash costs.
#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sim/attacked_accounts.h"
#include "sim/world.h"

using namespace std::chrono_literals;

namespace restante::sim {
namespace {

constexpr std::string_view crowded = "198.51.100.7:40000";
constexpr std::string_view elsewhere = "203.0.113.9:40000";

/// The server under attack.
class Siege {
public:
    explicit Siege(Accounts::Options options, const WorldSettings& settings = {})
        : world({.short_reads = false}, settings, [this, options](SimRing& ring, Throttle& t) {
              auto made = std::make_unique<Accounts>(ring, t, options);
              accounts = made.get();
              return made;
          }) {}

    /// `guess(n)` is the n-th guess: "USER ...\r\nPASS ...\r\n".
    void attack(std::size_t connections, std::string (*guess)(std::uint64_t)) {
        guess_ = guess;
        attackers_.resize(connections);
    }
    /// Each that was closed comes back; each that was answered, or is not patient, tries again.
    void attackers_act(bool patient) {
        for (std::optional<Client>& client : attackers_) {
            const bool is_answered = client && client->received().contains("-ERR");
            if (client && patient && !is_answered && !client->has_server_closed()) continue;
            if (client) client->close();
            client.emplace(world.connect(crowded));
            client->send(guess_(guesses++));
        }
    }
    /// From PASS to its reply.
    Duration log_in(std::string_view user, std::string_view from) {
        Client client = world.connect(from);
        const Instant start = world.ring().now();
        client.send("USER " + std::string(user) + "\r\nPASS secret\r\n");
        world.run_until_replied(client, "logged in\r\n");
        CHECK(client.received().ends_with("+OK logged in\r\n"));
        const Duration took = world.ring().now() - start;
        client.send("QUIT\r\n");
        world.run_until_replied(client, "bye\r\n");
        client.close();
        world.settle();
        return took;
    }

    Accounts* accounts = nullptr;  // the world's
    World world;
    std::uint64_t guesses = 0;

private:
    std::string (*guess_)(std::uint64_t) = nullptr;
    std::vector<std::optional<Client>> attackers_;
};

std::string guess_owner(std::uint64_t n) {
    return "USER owner\r\nPASS guess" + std::to_string(n) + "\r\n";
}
std::string guess_third(std::uint64_t n) {
    return "USER third\r\nPASS guess" + std::to_string(n) + "\r\n";
}
std::string guess_names(std::uint64_t n) {
    return "USER name" + std::to_string(n) + "\r\nPASS guess\r\n";
}

struct Times {
    Duration near{};  // longest of the owner at the attackers' address
    Duration far{};   // of the one elsewhere
};

enum class Attackers {
    patient,    // wait for the reply
    impatient,  // connect again at once: twice as many guesses as can be hashed
};

/// The owners log in every 100 ms.
Times endure(Siege& siege, Attackers attackers) {
    Times longest;
    for (int i = 0; i < 12; ++i) {
        siege.attackers_act(attackers == Attackers::patient);
        longest.near = std::max(longest.near, siege.log_in("owner", crowded));
        longest.far = std::max(longest.far, siege.log_in("other", elsewhere));
        siege.world.wait(100ms);
    }
    MESSAGE("longest login, us: ", longest.near.count() / 1000, " at the attackers' address, ",
            longest.far.count() / 1000, " elsewhere; ", siege.guesses, " guesses, ",
            siege.accounts->hashed(), " hashes");
    return longest;
}

/// What a login may take at most that is hashed before all that wait: what is under way, itself.
constexpr Duration in_front = (hashes_a_helper + 1) * hash_time;

/// What a guesser sees, and when, through all the failures that a connection may have.
std::vector<std::pair<Instant, std::string>> failures_of(std::string_view user,
                                                         Accounts::Options options) {
    Siege siege(options);
    siege.log_in("owner", elsewhere);
    Client client = siege.world.connect(crowded);
    std::vector<std::pair<Instant, std::string>> seen;
    while (!client.has_server_closed()) {
        client.send("USER " + std::string(user) + "\r\nPASS guess\r\n");
        siege.world.run_until_replied(client, "failed\r\n");
        seen.emplace_back(siege.world.ring().now(), client.take_received());
        siege.world.settle();
    }
    return seen;
}

}  // namespace

TEST_CASE("an owner whose password was right before does not wait for an attack") {
    for (auto* guess : {guess_owner, guess_names}) {
        Siege siege({.cache_ttl = 200ms});
        siege.log_in("owner", crowded);
        siege.log_in("other", elsewhere);
        siege.attack(200, guess);
        const Times longest = endure(siege, Attackers::impatient);
        CHECK(longest.near <= in_front);
        CHECK(longest.far <= in_front);
    }
}

TEST_CASE("an owner of whom nothing is known takes turns with the names that are attacked") {
    Siege siege({});
    siege.attack(200, guess_third);
    const Times longest = endure(siege, Attackers::impatient);
    CHECK(longest.near <= in_front + 2 * hashes_a_lower_turn * hash_time);
    CHECK(longest.far <= in_front + 2 * hash_time);  // its address has tokens
}

TEST_CASE("attackers who wait for their replies are slowed, and nobody else") {
    Siege siege({});
    siege.attack(200, guess_names);
    const Times longest = endure(siege, Attackers::patient);
    CHECK(longest.near <= in_front + 200 * hash_time);  // the first round is not slowed yet
    CHECK(longest.far <= in_front + hash_time);
    siege.world.wait(30s);
    siege.attackers_act(true);
    CHECK(siege.guesses < 3 * 200);
    CHECK(siege.log_in("owner", crowded) <= in_front + 200 * hash_time);
}

TEST_CASE("an unknown user and a wrong password: the same octets at the same time") {
    for (const Duration cache_ttl : {Duration(0s), Duration(5min)}) {
        const auto known = failures_of("owner", {.cache_ttl = cache_ttl});
        const auto unknown = failures_of("omner", {.cache_ttl = cache_ttl});
        CHECK(known.size() == 5);
        CHECK(known == unknown);
    }
}

TEST_CASE("failures of one connection are remembered against the next, by address and by user") {
    Siege siege({}, {{"limits.failed_delay", "\"1s\""}, {"limits.failed_delay_max", "\"8s\""}});
    const auto delay_of = [&siege](std::string_view user, std::string_view from) {
        Client client = siege.world.connect(from);
        const Instant start = siege.world.ring().now();
        client.send("USER " + std::string(user) + "\r\nPASS guess\r\n");
        siege.world.run_until_replied(client, "failed\r\n");
        client.close();
        siege.world.settle();
        return siege.world.ring().now() - start;
    };
    for (const char* name : {"a", "b", "c", "d"}) CHECK(delay_of(name, crowded) == 1s);
    CHECK(delay_of("e", crowded) == 2s);
    CHECK(delay_of("owner", elsewhere) == 1s);
    CHECK(delay_of("OWNER", "[2001:db8::1]:1024") == 2s);
    CHECK(delay_of("owner", "[2001:db8:1::1]:1024") == 4s);
    CHECK(delay_of("owner", crowded) == 8s);
    CHECK(delay_of("owner", crowded) == 8s);
    CHECK(siege.log_in("owner", crowded) <= 2 * hash_time);
    siege.world.wait(user_failure_memory * user_failures_kept_max);
    CHECK(delay_of("owner", crowded) == 1s);
}

TEST_CASE("a guess that is given up ends its connection, however long its reply is delayed") {
    Siege siege({}, {{"limits.failed_delay", "\"30s\""}});
    const std::size_t before = siege.world.ring().open_descriptor_count();
    Client gone = siege.world.connect();
    gone.send("USER owner\r\nPASS guess\r\n");
    Client half = siege.world.connect();
    half.send("USER owner\r\nPASS guess\r\nQUIT\r\n");
    siege.world.wait(1s);
    gone.close();
    half.finish();
    siege.world.wait(1s);
    CHECK(siege.world.ring().open_descriptor_count() == before + 1);
    siege.world.wait(60s);
    CHECK(half.received().ends_with("authentication failed\r\n+OK bye\r\n"));
}

TEST_CASE("the time to log in is absolute, also while passwords wait to be hashed") {
    Siege siege({.hash_time = 800ms}, {{"limits.login_timeout", "\"1s\""}});
    std::vector<Client> clients;
    for (const char* user : {"owner", "other", "third", "third"}) {
        clients.push_back(siege.world.connect());
        clients.back().send("USER " + std::string(user) + "\r\nPASS secret\r\n");
        siege.world.settle();
    }
    siege.world.wait(900ms);
    CHECK(clients[0].received().ends_with("logged in\r\n"));
    siege.world.wait(3s);
    for (std::size_t late = 1; late < clients.size(); ++late) {
        CHECK(clients[late].has_server_closed());
        CHECK_FALSE(clients[late].received().contains("logged in"));
    }
    CHECK(siege.accounts->hashed() == 3);  // the fourth was still waiting for its turn
    clients[0].close();
}

TEST_CASE("a password that waits too long is not hashed, and its login may be tried again") {
    Siege siege({.hash_time = 4s});
    std::vector<Client> clients;
    for (int i = 0; i < 5; ++i) {
        clients.push_back(siege.world.connect());
        clients.back().send("USER owner\r\nPASS guess\r\n");
        siege.world.settle();
    }
    siege.world.wait(hash_wait_default + 1s);
    CHECK(clients[4].received().ends_with("-ERR [SYS/TEMP] cannot log in now\r\n"));
    siege.world.wait(60s);
    CHECK(siege.accounts->hashed() == 4);
    CHECK(siege.accounts->waiting() == 0);
}

TEST_CASE("connections_per_ip: of an address, or of an IPv6 /64, only so many at a time") {
    World world({}, {{"limits.connections_per_ip", "2"}});
    const std::string refusal = "-ERR [SYS/TEMP] too many connections\r\n";
    const auto greeting = [&world](std::string_view peer) {
        Client client = world.connect(peer);
        world.settle();
        return std::make_pair(client, client.received());
    };
    auto first = greeting("[2001:db8::1]:1024");
    auto second = greeting("[2001:db8::ffff:2]:1025");
    CHECK(greeting("[2001:db8::3]:1026").second == refusal);
    auto other = greeting("[2001:db8:0:1::1]:1027");
    auto ipv4 = greeting("198.51.100.7:1028");
    for (const auto& welcome : {first, second, other, ipv4}) {
        CHECK(welcome.second == "+OK POP3 ready\r\n");
    }
    first.first.close();
    world.settle();
    CHECK(greeting("[2001:db8::3]:1029").second == "+OK POP3 ready\r\n");
    CHECK(greeting("[2001:db8::3]:1030").second == refusal);
}

TEST_CASE("sessions_per_user: one more is refused until one has ended") {
    World world({}, {{"limits.sessions_per_user", "1"}});
    world.add_user("mrose", "tanstaaf");
    world.deliver("mrose", "1.a", "text\r\n");
    const auto log_in = [&world] {
        Client client = world.connect();
        client.send("USER mrose\r\nPASS tanstaaf\r\n");
        world.wait(1s);
        return client;
    };
    Client first = log_in();
    CHECK(first.received().ends_with("+OK logged in\r\n"));
    Client second = log_in();
    CHECK(second.received().ends_with("-ERR [IN-USE] too many sessions\r\n"));
    first.send("QUIT\r\n");
    world.settle();
    second.send("USER mrose\r\nPASS tanstaaf\r\n");
    world.wait(1s);
    CHECK(second.received().ends_with("+OK logged in\r\n"));
}

}  // namespace restante::sim
