// What a passwd-file gives to challenge mechanisms, and to users that there are not.
#include <doctest/doctest.h>

#include <string>
#include <string_view>

#include "auth/password_scheme.h"
#include "unit/passwd_world.h"

namespace restante {
namespace {

constexpr CredentialKind kinds[] = {CredentialKind::secret, CredentialKind::scram_sha_1,
                                    CredentialKind::scram_sha_256};

Credentials look_up(World& world, CredentialKind kind, std::string_view user) {
    world.ring.time += passwd_look_interval;
    Task<Result<Credentials>> task = world.verifier->credentials({kind, user}, {});
    task.start(nullptr, nullptr);
    REQUIRE(task.is_done());
    Result<Credentials> found = task.take();
    REQUIRE(found.has_value());
    return std::move(*found);
}

bool same_keys(const ScramKeys& left, const ScramKeys& right) {
    return left.salt == right.salt && left.iterations == right.iterations &&
           left.stored_key.text() == right.stored_key.text() &&
           left.server_key.text() == right.server_key.text();
}

}  // namespace

TEST_CASE("credentials: a {PLAIN} secret serves every mechanism") {
    World world;
    const Credentials secret = look_up(world, CredentialKind::secret, "PLAIN");
    REQUIRE(secret.account.has_value());
    CHECK(secret.account->name == "plain@example.org");
    CHECK(secret.secret.text() == "secret");
    for (const CredentialKind kind : {CredentialKind::scram_sha_1, CredentialKind::scram_sha_256}) {
        world.ring.hashed = 0;
        const Credentials scram = look_up(world, kind, "plain");
        REQUIRE(scram.account.has_value());
        CHECK(world.ring.hashed == 1);
        CHECK(scram.scram.iterations == 4096);
        CHECK(verify_scram_keys("secret", scram.scram) == true);
        CHECK(same_keys(scram.scram, look_up(world, kind, "Plain@Example.ORG").scram));
    }
}

TEST_CASE("credentials: stored SCRAM keys are used as they are, for their algorithm alone") {
    const std::string stored = *hash_password("secret", "SCRAM-SHA-256");
    World world(true, "keyed@example.org:" + stored + "\n");
    world.ring.hashed = 0;
    const Credentials found = look_up(world, CredentialKind::scram_sha_256, "keyed");
    REQUIRE(found.account.has_value());
    CHECK(world.ring.hashed == 0);
    CHECK("{SCRAM-SHA-256}" + scram_keys_text(found.scram) == stored);
    CHECK_FALSE(look_up(world, CredentialKind::scram_sha_1, "keyed").account.has_value());
    CHECK_FALSE(look_up(world, CredentialKind::secret, "keyed").account.has_value());
    CHECK(world.accepts("keyed", "secret"));
    CHECK_FALSE(world.accepts("keyed", "Secret"));
}

TEST_CASE(
    "credentials: unknown, barred and otherwise stored users get false ones, always the same") {
    World world;
    for (const CredentialKind kind : kinds) {
        for (const std::string_view user : {"nobody", "hashed", "away", "locked", "a/b"}) {
            CAPTURE(user);
            const Credentials first = look_up(world, kind, user);
            const Credentials second = look_up(world, kind, user);
            CHECK_FALSE(first.account.has_value());
            CHECK(first.secret.text() == second.secret.text());
            CHECK(same_keys(first.scram, second.scram));
            CHECK(first.refusal == nullptr);
        }
    }
    CHECK(look_up(world, CredentialKind::secret, "nobody").secret.text() !=
          look_up(world, CredentialKind::secret, "someone").secret.text());
    CHECK(look_up(world, CredentialKind::scram_sha_256, "nobody").scram.salt !=
          look_up(world, CredentialKind::scram_sha_256, "someone").scram.salt);
}

TEST_CASE("credentials: the octets of a challenge and the work do not tell who exists") {
    const std::string stored = *hash_password("secret", "SCRAM-SHA-256");
    const std::string contents[] = {
        "plain:{PLAIN}secret\nother:{PLAIN}secret\nhashed:{CRYPT}$1$saltsalt$9xy1btjgzLYfb7hivXtC//"
        "\n",
        "plain:" + stored + "\nother:" + stored +
            "\nhashed:{CRYPT}$1$saltsalt$9xy1btjgzLYfb7hivXtC//\n"};
    for (const std::string& content : contents) {
        std::string with_domain;
        for (const char octet : content) {
            with_domain += octet == ':' && with_domain.find('@', with_domain.rfind('\n') + 1) ==
                                               std::string::npos
                               ? "@example.org:"
                               : std::string(1, octet);
        }
        World world(true, with_domain);
        world.ring.hashed = 0;
        const Credentials known = look_up(world, CredentialKind::scram_sha_256, "plain");
        const int work = world.ring.hashed;
        REQUIRE(known.account.has_value());
        for (const std::string_view user : {"nobody", "hashed"}) {
            CAPTURE(user);
            world.ring.hashed = 0;
            const Credentials unknown = look_up(world, CredentialKind::scram_sha_256, user);
            CHECK_FALSE(unknown.account.has_value());
            CHECK(world.ring.hashed == work);
            CHECK(unknown.scram.salt.size() == known.scram.salt.size());
            CHECK(unknown.scram.iterations == known.scram.iterations);
            CHECK(unknown.scram.stored_key.text().size() == known.scram.stored_key.text().size());
        }
    }
}

TEST_CASE("credentials: a broken line is an error, an empty file has nobody, a full queue passes") {
    World world;
    Task<Result<Credentials>> broken =
        world.verifier->credentials({CredentialKind::secret, "bad"}, {});
    broken.start(nullptr, nullptr);
    CHECK(broken.take().error().kind == ErrorKind::broken);

    world.ring.queue_is_full = true;
    Task<Result<Credentials>> busy =
        world.verifier->credentials({CredentialKind::scram_sha_256, "plain"}, {});
    busy.start(nullptr, nullptr);
    CHECK(busy.take().error().kind == ErrorKind::exhausted);

    World empty(true, "");
    for (const CredentialKind kind : kinds) {
        CHECK_FALSE(look_up(empty, kind, "plain").account.has_value());
    }
}

TEST_CASE("passwd-file: allow_nets and disablepop3 become policies of the account") {
    World world(true,
                "a@example.org:{PLAIN}x::::::allow_nets=192.0.2.0/24,::1 disablepop3=0\n"
                "b@example.org:{PLAIN}x::::::disablepop3=1\n"
                "c@example.org:{PLAIN}x::::::disablepop3\n"
                "d@example.org:{PLAIN}x\n"
                "e@example.org:{PLAIN}x::::::allow_nets=\n"
                "f@example.org:{PLAIN}x::::::allow_nets=nowhere\n");
    const auto policies = [&world](std::string_view user) {
        const Result<Verdict> verdict = world.verify(ExternalProof{user});
        REQUIRE(verdict.has_value());
        return std::get<Account>(*verdict).policies;
    };
    CHECK(policies("a").may_use_pop3);
    CHECK(policies("a").allowed_networks->contains(*SocketAddress::parse("192.0.2.9:1")));
    CHECK_FALSE(policies("a").allowed_networks->contains(*SocketAddress::parse("192.0.3.9:1")));
    CHECK_FALSE(policies("b").may_use_pop3);
    CHECK_FALSE(policies("c").may_use_pop3);
    CHECK_FALSE(policies("d").allowed_networks.has_value());
    CHECK_FALSE(world.verify(ExternalProof{"e"}).has_value());
    CHECK_FALSE(world.verify(ExternalProof{"f"}).has_value());
}

TEST_CASE("passwd-file: who is proven otherwise is found, unless he may not log in") {
    World world;
    CHECK(std::holds_alternative<Account>(*world.verify(ExternalProof{"hashed"})));
    CHECK(world.ring.hashed == 0);
    for (const std::string_view user : {"nobody", "away", "locked", ""}) {
        CHECK(std::holds_alternative<Rejected>(*world.verify(ExternalProof{user})));
    }
    CHECK(std::holds_alternative<Rejected>(*world.verify(TokenProof{"hashed", "token"})));
}

}  // namespace restante
