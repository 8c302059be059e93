#include "auth/passwd_verifier.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <string_view>

#include "unit/passwd_world.h"

using namespace std::chrono_literals;

namespace restante {

TEST_CASE(
    "verifier: the right password gives the account, with its canonical name, home and maildrop") {
    World world;
    const Result<Verdict> verdict = world.log_in("PLAIN", "secret");
    REQUIRE(verdict.has_value());
    const Account* account = std::get_if<Account>(&*verdict);
    REQUIRE(account != nullptr);
    CHECK(account->name == "plain@example.org");
    CHECK(account->home == "/home/plain");
    CHECK(account->maildrop == "/home/plain/Maildir");
    CHECK(account->policies.may_log_in);
    CHECK(world.accepts("hashed@example.org", "secret"));
    CHECK_FALSE(world.accepts("hashed", "Secret"));
}

TEST_CASE("verifier: a PLAIN secret is compared inline, a hash on the helper pool") {
    World world;
    CHECK(world.accepts("plain", "secret"));
    CHECK(world.ring.hashed == 0);
    CHECK(world.accepts("hashed", "secret"));
    CHECK(world.ring.hashed == 1);
}

TEST_CASE(
    "verifier: unknown, barred, locked and impossible users do the work of a wrong password") {
    World world;
    for (const std::string_view user : {"nobody", "away", "locked", "a/b", ".", "", "x@.."}) {
        CAPTURE(user);
        world.ring.hashed = 0;
        CHECK_FALSE(world.accepts(user, "secret"));
        CHECK(world.ring.hashed == 1);
    }
    CHECK_FALSE(world.accepts(std::string(300, 'a'), "secret"));
}

TEST_CASE("verifier: a broken line is an error for its user alone, logged with its place") {
    World world;
    const Result<Verdict> verdict = world.log_in("bad", "x");
    REQUIRE_FALSE(verdict.has_value());
    CHECK(verdict.error().kind == ErrorKind::broken);
    CHECK(world.log.lines.back() ==
          world.path() + ":6: unknown password scheme: user=<bad@example.org> cannot log in");
    CHECK(world.accepts("hashed", "secret"));
}

TEST_CASE("verifier: a full queue is exhausted, said once") {
    World world;
    world.ring.queue_is_full = true;
    const std::size_t lines = world.log.lines.size();
    for (int i = 0; i < 3; ++i) {
        const Result<Verdict> verdict = world.log_in("hashed", "secret");
        REQUIRE_FALSE(verdict.has_value());
        CHECK(verdict.error().kind == ErrorKind::exhausted);
    }
    CHECK(world.log.lines.size() == lines + 1);
}

TEST_CASE("RFC 1939 §7: APOP needs a PLAIN secret, and rejects everybody else alike") {
    World world;
    const Result<Verdict> known = world.verify(ApopProof{
        "mrose", "<1896.697170952@dbc.mtview.ca.us>", "c4c9334bac560ecc979e58001b3e22fb"});
    CHECK(std::holds_alternative<Rejected>(*known));
    CHECK(world.accepts_apop("plain", "secret"));
    CHECK_FALSE(world.accepts_apop("plain", "Secret"));
    CHECK_FALSE(world.accepts_apop("nobody", "secret"));
    CHECK_FALSE(world.accepts_apop("hashed", "secret"));
    CHECK_FALSE(world.accepts_apop("hashed", "{CRYPT}$1$saltsalt$9xy1btjgzLYfb7hivXtC//"));
    CHECK_FALSE(world.accepts_apop("nobody", "{CRYPT}$1$saltsalt$9xy1btjgzLYfb7hivXtC//"));
    CHECK(world.ring.hashed == 0);

    world.write_users("mrose@example.org:{PLAIN}tanstaaf\n");
    const Result<Verdict> verdict = world.verify(ApopProof{
        "mrose", "<1896.697170952@dbc.mtview.ca.us>", "c4c9334bac560ecc979e58001b3e22fb"});
    REQUIRE(verdict.has_value());
    CHECK(std::holds_alternative<Account>(*verdict));
}

TEST_CASE("verifier: a changed file is read again, an unchanged one is not") {
    World world;
    for (int i = 0; i < 3; ++i) CHECK(world.accepts("plain", "secret"));
    CHECK(world.ring.opened == 0);
    world.write_users("plain@example.org:{PLAIN}another\n");
    CHECK_FALSE(world.accepts("plain", "secret"));
    CHECK(world.accepts("plain", "another"));
    CHECK(world.ring.opened == 1);
}

TEST_CASE("verifier: logins within passwd_look_interval look at the file once") {
    World world;
    const Proof proof = PasswordProof{"plain", "secret"};
    const auto accepts_at_once = [&world, &proof] {
        Task<Result<Verdict>> task = world.verifier->verify(proof);
        task.start(nullptr, nullptr);
        const Result<Verdict> verdict = task.take();
        return verdict && std::holds_alternative<Account>(*verdict);
    };
    CHECK(accepts_at_once());
    world.ring.looked = 0;
    world.write_users("plain@example.org:{PLAIN}another\n");
    world.ring.time += passwd_look_interval - 1ns;
    CHECK(accepts_at_once());
    CHECK(world.ring.looked == 0);
    world.ring.time += 1ns;
    CHECK_FALSE(accepts_at_once());
    CHECK(world.ring.looked == 1);
}

TEST_CASE("verifier: while one login reads the changed file the others go on with the old users") {
    World world;
    world.write_users("plain@example.org:{PLAIN}another\n");
    world.ring.holds = HelperKind::files;
    Task<Result<Verdict>> reader = world.verifier->verify(PasswordProof{"plain", "another"});
    reader.start(nullptr, nullptr);
    CHECK_FALSE(reader.is_done());
    CHECK(world.accepts("plain", "secret"));
    CHECK(world.ring.opened == 1);
    world.ring.release();
    REQUIRE(reader.is_done());
    const Result<Verdict> verdict = reader.take();
    CHECK(std::holds_alternative<Account>(*verdict));
    CHECK_FALSE(world.accepts("plain", "secret"));
    CHECK(world.ring.opened == 1);
}

TEST_CASE("verifier: while the first login reads the file the others are exhausted, not rejected") {
    World world(false);
    world.ring.holds = HelperKind::files;
    Task<Result<Verdict>> reader = world.verifier->verify(PasswordProof{"plain", "secret"});
    reader.start(nullptr, nullptr);
    const Result<Verdict> other = world.log_in("plain", "secret");
    REQUIRE_FALSE(other.has_value());
    CHECK(other.error().kind == ErrorKind::exhausted);
    world.ring.release();
    REQUIRE(reader.is_done());
}

TEST_CASE("verifier: a file changed just before it was read is read again") {
    World world;
    struct stat status {};
    world.write_users("plain@example.org:{PLAIN}another\n");
    REQUIRE(::stat(world.path().c_str(), &status) == 0);
    const std::int64_t changed =
        std::int64_t{status.st_ctim.tv_sec} * 1'000'000'000 + status.st_ctim.tv_nsec;
    world.ring.wall_nanoseconds = changed + 1'000'000;
    CHECK(world.accepts("plain", "another"));
    world.ring.wall_nanoseconds = changed + 1'000'000'000;
    CHECK(world.accepts("plain", "another"));
    CHECK(world.ring.opened == 2);
    CHECK(world.accepts("plain", "another"));
    CHECK(world.ring.opened == 2);
}

TEST_CASE("verifier: while the file cannot be read the old users stay, said once a change") {
    World world;
    world.log.errors = 0;
    ::unlink(world.path().c_str());
    for (int i = 0; i < 3; ++i) CHECK(world.accepts("plain", "secret"));
    CHECK(world.log.errors == 1);
    CHECK(world.log.lines.back() ==
          "passwd-file " + world.path() +
              ": find passwd-file: No such file or directory; users as read before are kept");
    REQUIRE(::mkdir(world.path().c_str(), 0700) == 0);
    for (int i = 0; i < 3; ++i) CHECK(world.accepts("plain", "secret"));
    CHECK(world.log.errors == 2);
    ::rmdir(world.path().c_str());
    world.write_users("plain@example.org:{PLAIN}another\n");
    CHECK(world.accepts("plain", "another"));
    ::unlink(world.path().c_str());
    CHECK(world.accepts("plain", "another"));
    CHECK(world.log.errors == 3);
}

TEST_CASE("verifier: without any table an unreadable file is exhausted ([SYS/TEMP])") {
    World world(false);
    ::unlink(world.path().c_str());
    const Result<Verdict> verdict = world.log_in("plain", "secret");
    REQUIRE_FALSE(verdict.has_value());
    CHECK(verdict.error().kind == ErrorKind::exhausted);
    CHECK(world.log.errors == 1);
    world.write_users(users);
    CHECK(world.accepts("plain", "secret"));
}

TEST_CASE(
    "verifier: a file over the limit is refused by its size, and a symbolic link by its kind") {
    World world;
    world.log.errors = 0;
    REQUIRE(::truncate(world.path().c_str(), static_cast<off_t>(passwd_file_octets_max) + 1) == 0);
    CHECK(world.accepts("plain", "secret"));
    CHECK(world.log.errors == 1);
    ::unlink(world.path().c_str());
    REQUIRE(::symlink("/etc/passwd", world.path().c_str()) == 0);
    CHECK(world.accepts("plain", "secret"));
    CHECK(world.log.errors == 2);
    CHECK(world.log.lines.back().find("name the file itself") != std::string::npos);
}

TEST_CASE("verifier: a large file is read in pieces, with pauses for the other sessions") {
    std::string content = "plain@example.org:{PLAIN}secret\n";
    while (content.size() < 3 << 20) content += "# " + std::string(1000, 'x') + "\n";
    World world(false, content);
    CHECK(world.accepts("plain", "secret"));
    CHECK(world.ring.slept == 3);
}

TEST_CASE("verifier: an empty file rejects everybody") {
    World world(false, "");
    CHECK_FALSE(world.accepts("plain", "secret"));
    CHECK_FALSE(world.accepts_apop("plain", ""));
    CHECK_FALSE(world.accepts("", ""));
}

TEST_CASE("verifier: a folder that is not there is named at start-up") {
    const auto place = PasswdPlace::open("/nonexistent/users");
    REQUIRE_FALSE(place.has_value());
    CHECK(place.error() ==
          "passwd-file /nonexistent/users: cannot open /nonexistent: No such file or directory");
    CHECK_FALSE(PasswdPlace::open("/tmp/").has_value());
}

}  // namespace restante
