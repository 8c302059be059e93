// SCRAM over stored secrets: when keys are derived, for whom, and which are remembered.
#include <doctest/doctest.h>

#include <cerrno>
#include <string>
#include <string_view>

#include "auth/login_verifier.h"
#include "auth/password_scheme.h"
#include "auth/scram_memory.h"
#include "unit/passwd_world.h"
#include "unit/sasl_world.h"

namespace restante {
namespace {

using Kind = SaslStep::Kind;
using enum SaslMechanism;

constexpr SaslMechanism mechanisms[] = {scram_sha_1, scram_sha_256};
constexpr Duration cache_ttl = std::chrono::minutes(5);

/// One AUTH command of a client of GNU SASL's, in pieces.
class Attempt {
public:
    Attempt(World& world, SaslMechanism mechanism, std::string_view user, std::string_view password)
        : world_(world),
          client_(name_of(mechanism),
                  {.user = std::string(user), .password = std::string(password)}),
          exchange_(start_sasl_exchange(mechanism, policy_, channel_)) {}

    /// To the challenge with the salt.
    void open() {
        step_ = exchange_->start();
        answer();
        REQUIRE(step_.kind == Kind::challenge);
        salted_ = step_.challenge;
    }
    /// The proof, and what is left of the exchange.
    Kind prove() {
        while (step_.kind == Kind::challenge) answer();
        return step_.kind;
    }
    const std::string& challenge() const { return salted_; }
    /// "": the client was let in, or told nothing.
    std::string_view last_words() const { return step_.challenge; }
    bool took_token = false;

private:
    void answer() {
        const std::optional<std::string> response =
            client_.is_content && step_.challenge.empty() ? "" : client_.step(step_.challenge);
        REQUIRE(response.has_value());
        step_ = exchange_->step(*response);
        while (step_.kind == Kind::credentials) {
            world_.ring.time += passwd_look_interval;
            auto task = world_.verifier->credentials(step_.query, {});
            task.start(nullptr, nullptr);
            Result<Credentials> found = task.take();
            REQUIRE(found.has_value());
            took_token |= found->took_token;
            step_ = exchange_->supply(*std::move(found));
        }
    }

    const SaslPolicy policy_{.hostname = "pop.example.org"};
    const SaslChannel channel_{};
    World& world_;
    GsaslClient client_;
    std::unique_ptr<SaslExchange> exchange_;
    SaslStep step_{};
    std::string salted_;
};

/// Hashes at the challenge and at the proof, and how the attempt ended.
struct Cost {
    int opening;
    int proof;
    Kind end;
    std::string last_words;
    friend bool operator==(const Cost&, const Cost&) = default;
};

Cost cost_of(World& world, SaslMechanism mechanism, std::string_view user,
             std::string_view password = "secret") {
    Attempt attempt(world, mechanism, user, password);
    world.ring.hashed = 0;
    attempt.open();
    const int opening = world.ring.hashed;
    const Kind end = attempt.prove();
    return {opening, world.ring.hashed - opening, end, std::string(attempt.last_words())};
}

const Cost failed_after_one_hash{0, 1, Kind::failed, "e=invalid-proof"};

bool is_in(const Cost& cost) { return cost.end == Kind::authenticated; }

}  // namespace

TEST_CASE("SCRAM over a secret: who opens an exchange costs no hash, whoever it is for") {
    for (const Duration ttl : {Duration::zero(), cache_ttl}) {
        World world(true, users, ttl);
        for (const SaslMechanism mechanism : mechanisms) {
            for (const std::string_view user : {"plain", "hashed", "away", "locked", "nobody"}) {
                CAPTURE(user);
                Attempt attempt(world, mechanism, user, "secret");
                world.ring.hashed = 0;
                attempt.open();
                CHECK(world.ring.hashed == 0);
                CHECK_FALSE(attempt.took_token);
                CHECK(attempt.challenge().ends_with(",i=4096"));
            }
        }
    }
}

TEST_CASE("SCRAM over a secret: a wrong proof costs one hash, of whoever, however often") {
    const std::string content =
        "plain@example.org:{PLAIN}secret\nother@example.org:{PLAIN}x\n"
        "hashed@example.org:{CRYPT}$1$saltsalt$9xy1btjgzLYfb7hivXtC//\n";
    for (const Duration ttl : {Duration::zero(), cache_ttl}) {
        World world(true, content, ttl);
        for (const SaslMechanism mechanism : mechanisms) {
            CHECK(is_in(cost_of(world, mechanism, "plain")));  // whose keys may be remembered
            for (const std::string_view user : {"plain", "other", "hashed", "nobody", "plain"}) {
                CAPTURE(user);
                for (int i = 0; i < 3; ++i) {
                    CHECK(cost_of(world, mechanism, user, "guess") == failed_after_one_hash);
                }
            }
        }
    }
}

TEST_CASE("SCRAM over a secret: with the cache on the second right proof costs no hash") {
    World world(true, users, cache_ttl);
    for (const SaslMechanism mechanism : mechanisms) {
        const Cost first = cost_of(world, mechanism, "plain");
        CHECK(is_in(first));
        CHECK(first.proof == 1);
        CHECK(cost_of(world, mechanism, "plain", "guess") == failed_after_one_hash);
        for (const std::string_view user : {"plain", "PLAIN", "Plain@Example.ORG"}) {
            const Cost again = cost_of(world, mechanism, user);
            CHECK(is_in(again));
            CHECK(again.proof == 0);
        }
    }
    World without;
    for (int i = 0; i < 2; ++i) CHECK(cost_of(without, scram_sha_256, "plain").proof == 1);
}

TEST_CASE("SCRAM over a secret: a changed password counts at once, one of others never") {
    World world(true, "a@example.org:{PLAIN}secret\nb@example.org:{PLAIN}other\n", cache_ttl);
    CHECK(is_in(cost_of(world, scram_sha_256, "a")));
    CHECK(cost_of(world, scram_sha_256, "b") == failed_after_one_hash);
    world.write_users("a@example.org:{PLAIN}changed\nb@example.org:{PLAIN}secret\n");
    const Cost changed = cost_of(world, scram_sha_256, "a", "changed");
    CHECK(is_in(changed));
    CHECK(changed.proof == 1);
    CHECK(cost_of(world, scram_sha_256, "a") == failed_after_one_hash);
    CHECK(cost_of(world, scram_sha_256, "b").proof == 1);  // the same secret, but another user's
    CHECK(cost_of(world, scram_sha_256, "b").proof == 0);
    world.write_users("a@example.org:{PLAIN}secret\nb@example.org:{PLAIN}secret::::::nologin\n");
    CHECK(cost_of(world, scram_sha_256, "b") == failed_after_one_hash);
}

TEST_CASE("SCRAM: a record that changes between challenge and proof is the new one") {
    const std::string keys = *hash_password("secret", "SCRAM-SHA-256");
    const std::string derived = "plain@example.org:{PLAIN}secret\n";
    for (const std::string& before : {derived, "plain@example.org:" + keys + "\n"}) {
        for (const std::string& fresh :
             {std::string("plain@example.org:{PLAIN}another\n"),
              "plain@example.org:" + *hash_password("secret", "SCRAM-SHA-256") + "\n",
              std::string("other@example.org:{PLAIN}secret\n"),
              std::string("plain@example.org:{PLAIN}secret::::::nologin\n")}) {
            CAPTURE(before);
            CAPTURE(fresh);
            World world(true, before, cache_ttl);
            // Of a secret the keys are remembered now.
            CHECK(is_in(cost_of(world, scram_sha_256, "plain")));
            Attempt attempt(world, scram_sha_256, "plain", "secret");
            attempt.open();
            world.write_users(fresh);
            CHECK(attempt.prove() == Kind::failed);
        }
    }
}

TEST_CASE("SCRAM over a secret: keys that were derived of nobody's let nobody in") {
    World world(true, "plain@example.org:{PLAIN}secret\n", cache_ttl);
    const std::string false_secret(FalseCredentials::make().secret("nobody@example.org").text());
    for (int i = 0; i < 2; ++i) {
        CHECK(cost_of(world, scram_sha_256, "nobody", false_secret).end == Kind::failed);
    }
}

TEST_CASE("SCRAM over a secret: the proof takes a token, and waits in the queue of all hashes") {
    World world;
    Attempt attempt(world, scram_sha_256, "plain", "secret");
    attempt.open();
    const auto nobodys_address = world.throttle.key_of(SocketAddress{});
    CHECK(attempt.prove() == Kind::authenticated);
    CHECK(attempt.took_token);
    std::uint32_t left = 0;
    while (world.throttle.take_token(nobodys_address, world.ring.time)) ++left;
    CHECK(left == address_tokens - 1);

    world.ring.queue_is_full = true;
    auto opening = world.verifier->credentials(
        {.kind = CredentialKind::scram_sha_256, .user = "plain", .derives = false}, {});
    opening.start(nullptr, nullptr);
    CHECK(opening.take().has_value());
    auto proof = world.verifier->credentials(
        {.kind = CredentialKind::scram_sha_256, .user = "plain", .derives = true}, {});
    proof.start(nullptr, nullptr);
    CHECK(proof.take().error().kind == ErrorKind::exhausted);
}

TEST_CASE("SCRAM of masters, and of authorization identities, is derived at the proof, too") {
    World world;
    LoginVerifier verifier({.users = *world.verifier,
                            .rules = {"example.org", NameMatch::ignore_case},
                            .masters = &*world.verifier,
                            .master_separator = '*'});
    for (const bool derives : {false, true}) {
        world.ring.hashed = 0;
        auto task = verifier.credentials(
            {.kind = CredentialKind::scram_sha_256, .user = "hashed*plain", .derives = derives},
            {});
        task.start(nullptr, nullptr);
        const Result<Credentials> found = task.take();
        REQUIRE(found.has_value());
        REQUIRE(found->account.has_value());
        CHECK(found->account->name == "hashed@example.org");
        CHECK(found->account->master == "plain@example.org");
        CHECK(found->are_to_be_derived == !derives);
        CHECK(world.ring.hashed == (derives ? 1 : 0));
    }
}

TEST_CASE("SCRAM memory: keys are found by user, secret and algorithm, and the oldest give way") {
    ScramMemory memory;
    const ScramSalt salt{.octets = "0123456789abcdef", .iterations = 1};
    const auto origin_of = [](std::string_view user) {
        return ScramMemory::Origin{user, "{PLAIN}secret", DigestAlgorithm::sha1};
    };
    const ScramKeys keys = *derive_scram_keys("secret", salt, DigestAlgorithm::sha1);
    CHECK_FALSE(memory.find(origin_of("a"), salt).has_value());
    memory.keep(origin_of("a"), keys);
    const std::optional<ScramKeys> found = memory.find(origin_of("a"), salt);
    REQUIRE(found.has_value());
    CHECK(scram_keys_text(*found) == scram_keys_text(keys));
    CHECK_FALSE(memory.find({"a", "{PLAIN}secret", DigestAlgorithm::sha256}, salt).has_value());
    CHECK_FALSE(memory.find({"a", "{PLAIN}secreu", DigestAlgorithm::sha1}, salt).has_value());
    CHECK_FALSE(memory.find({"a{", "PLAIN}secret", DigestAlgorithm::sha1}, salt).has_value());
    std::size_t kept = 0;
    const auto name = [](std::size_t n) { return "user" + std::to_string(n); };
    for (std::size_t n = 0; n < 4 * scram_memory_entries; ++n) {
        memory.keep(origin_of(name(n)), keys);
        CHECK(memory.find(origin_of("a"), salt).has_value());  // asked for all the time
    }
    for (std::size_t n = 0; n < 4 * scram_memory_entries; ++n) {
        kept += memory.find(origin_of(name(n)), salt).has_value() ? 1 : 0;
    }
    CHECK(kept < scram_memory_entries);
    CHECK(kept > scram_memory_entries / 2);
}

}  // namespace restante
