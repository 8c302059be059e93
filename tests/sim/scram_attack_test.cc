// SCRAM over passwords in clear, with guessers and with those who only open exchanges: the real
// sessions, verifier, queue and throttle; simulated are the network, time, and what a derivation
// costs.
#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sim/attacked_accounts.h"
#include "sim/world.h"
#include "unit/sasl_world.h"

using namespace std::chrono_literals;

namespace restante::sim {
namespace {

constexpr std::string_view crowded = "198.51.100.7:40000";
constexpr Duration derivation_time = 4ms;  // 4,096 iterations

struct Server {
    explicit Server(Duration cache_ttl = 0s, std::string_view failed_delay = "2s")
        : world({.short_reads = false},
                {{"auth.mechanisms", "[\"SCRAM-SHA-256\", \"PLAIN\", \"LOGIN\"]"},
                 {"limits.failed_delay", '"' + std::string(failed_delay) + '"'}},
                [this, cache_ttl](SimRing& ring, Throttle& throttle) {
                    auto made = std::make_unique<Accounts>(
                        ring, throttle,
                        Accounts::Options{cache_ttl, derivation_time, "{PLAIN}secret"});
                    accounts = made.get();
                    return made;
                }) {}

    std::uint32_t tokens_left() {
        std::uint32_t left = 0;
        const auto address = accounts->throttle.key_of(*SocketAddress::parse(crowded));
        while (accounts->throttle.take_token(address, world.ring().now())) ++left;
        return left;
    }

    Accounts* accounts = nullptr;  // the world's
    World world;
};

/// A connection of GNU SASL's client.
class Scram {
public:
    Scram(Server& server, std::string_view user, std::string_view password)
        : server_(server),
          client_(server.world.connect(crowded)),
          sasl_("SCRAM-SHA-256", {.user = std::string(user), .password = std::string(password)}) {
        server_.world.settle();
        client_.take_received();
    }
    ~Scram() {
        client_.close();
        server_.world.settle();
    }
    /// The server's first message, or its refusal.
    std::string open() {
        const std::string empty = ask("AUTH SCRAM-SHA-256");
        if (!empty.starts_with("+ ")) return empty;
        return said_ = answer(empty);
    }
    /// What the server says to the proof, and at the end.
    std::pair<std::string, std::string> prove() {
        const std::string judged = answer(said_);
        return {judged, judged.starts_with("+ ") ? ask("") : judged};
    }
    bool has_ended() { return client_.has_server_closed(); }
    Instant now() { return server_.world.ring().now(); }

private:
    std::string ask(std::string_view line) {
        client_.send(std::string(line) + "\r\n");
        server_.world.run_until_replied(client_, "\r\n");
        return client_.take_received();
    }
    std::string answer(std::string_view line) {
        const std::string_view challenge = line.substr(2, line.find('\r') - 2);
        const std::optional<std::string> response = sasl_.step(*base64_decode(challenge));
        REQUIRE(response.has_value());
        return ask(base64_encode(*response));
    }

    Server& server_;
    Client client_;
    GsaslClient sasl_;
    std::string said_;
};

/// What a guesser sees, and when: of messages with random octets in them, how long they are.
struct Failure {
    Instant opened;
    std::size_t challenge_octets;
    Instant judged;
    std::pair<std::string, std::string> replies;
    friend bool operator==(const Failure&, const Failure&) = default;
};

/// Each on a connection of its own.
std::vector<Failure> failures_of(std::string_view user, Duration cache_ttl,
                                 std::string_view failed_delay) {
    Server server(cache_ttl, failed_delay);
    {
        Scram owner(server, "owner", "secret");
        owner.open();
        CHECK(owner.prove().second == "+OK logged in\r\n");
    }
    std::vector<Failure> seen;
    for (int i = 0; i < 5; ++i) {
        Scram guesser(server, user, "guess");
        const std::size_t octets = guesser.open().size();
        const Instant opened = guesser.now();
        const auto replies = guesser.prove();
        seen.push_back({opened, octets, guesser.now(), replies});
    }
    return seen;
}

/// What the log says of a connection that sends that and ends.
std::string log_of(std::string_view lines) {
    Server server;
    Client client = server.world.connect(crowded);
    client.send(lines);
    server.world.wait(3s);
    client.close();
    server.world.settle();
    return server.world.log();
}

}  // namespace

TEST_CASE("SCRAM: an unknown user and a wrong proof: the same octets at the same time") {
    for (const Duration cache_ttl : {Duration(0s), Duration(5min)}) {
        for (const std::string_view failed_delay : {"2s", "0s"}) {
            const auto known = failures_of("owner", cache_ttl, failed_delay);
            CHECK(known == failures_of("omner", cache_ttl, failed_delay));
            for (const Failure& failure : known) {
                CHECK(failure.replies.first == "+ " + base64_encode("e=invalid-proof") + "\r\n");
                CHECK(failure.replies.second == "-ERR [AUTH] authentication failed\r\n");
                CHECK(failure.judged - failure.opened >= derivation_time);
            }
        }
    }
}

TEST_CASE("SCRAM: exchanges that are opened and left cost no hash, no token, and no owner's time") {
    Server server;
    std::vector<std::unique_ptr<Scram>> openers;
    for (int i = 0; i < 200; ++i) {
        const std::string name = i % 2 == 0 ? "owner" : "name" + std::to_string(i);
        openers.push_back(std::make_unique<Scram>(server, name, "secret"));
        CHECK(openers.back()->open().starts_with("+ "));
    }
    CHECK(server.accounts->hashed() == 0);
    CHECK(server.tokens_left() == address_tokens);
    server.world.wait(address_tokens * address_token_interval);

    Scram owner(server, "owner", "secret");
    owner.open();
    const Instant began = owner.now();
    CHECK(owner.prove().second == "+OK logged in\r\n");
    CHECK(owner.now() - began <= 2 * derivation_time);
    CHECK(server.accounts->hashed() == 1);
}

TEST_CASE("SCRAM: a wrong proof costs the address a token, the right one gives its own back") {
    for (const auto& [password, spent] : {std::pair("secret", 0U), std::pair("guess", 3U)}) {
        Server server(0s, "0s");
        for (int i = 0; i < 3; ++i) {
            Scram client(server, "owner", password);
            client.open();
            client.prove();
        }
        CHECK(server.tokens_left() == address_tokens - spent);
    }
}

TEST_CASE("the log says of who leaves at a challenge that he left, and names whom he named") {
    Server server;
    {
        Scram leaver(server, "owner", "secret");
        leaver.open();
    }
    CHECK(server.world.log().contains("(client didn't finish SASL auth, waited "));
    CHECK(server.world.log().contains("user=<owner>"));
}

TEST_CASE("the log names nobody who was not named in the attempt that failed") {
    const std::string malformed = "AUTH SCRAM-SHA-256 " + base64_encode("n,,x") + "\r\n";
    for (const std::string& attempt :
         {malformed, std::string("AUTH PLAIN\r\n*\r\n"), std::string("AUTH PLAIN !\r\n"),
          std::string("AUTH NTLM\r\n"), "USER bystander\r\nPASS guess\r\n" + malformed}) {
        CAPTURE(attempt);
        const std::string log = log_of("USER bystander\r\n" + attempt);
        CHECK(log.contains(": user=<>, "));
        CHECK_FALSE(log.contains("bystander"));
    }
    CHECK(log_of(malformed).contains("(auth failed, 1 attempts in "));
}

TEST_CASE("the log names who was named in an attempt that failed, whatever was wrong with it") {
    const std::string unanswered = "AUTH LOGIN " + base64_encode("owner") + "\r\n\r\n";
    CHECK(log_of("USER bystander\r\n" + unanswered).contains("): user=<owner>, method=LOGIN, "));
}

}  // namespace restante::sim
