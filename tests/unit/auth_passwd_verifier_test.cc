#include "auth/passwd_verifier.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "auth/digest.h"
#include "auth/password_scheme.h"
#include "ring/blocking_calls.h"

using namespace std::string_literals;

namespace restante {
namespace {

/// Does everything at once, inside attempt(), with real system calls; counts and fails what a test
/// asks for.
class InlineRing final : public Ring {
public:
    bool attempt(Operation& operation) override {
        const Request& request = operation.request;
        if (request.kind == Request::Kind::offload) {
            if (request.helper == HelperKind::hashing) ++hashed;
            if (holds_file_work && request.helper == HelperKind::files) return false;
            if (queue_is_full) {
                operation.result = -EAGAIN;
                return true;
            }
            request.work->run();
            operation.result = 0;
        } else if (request.kind == Request::Kind::sleep) {
            ++slept;
            operation.result = -ETIMEDOUT;
        } else {
            if (request.kind == Request::Kind::open) ++opened;
            operation.result = carry_out(request);
        }
        return true;
    }
    void submit(Operation& operation) override {
        operation.in_flight = true;
        held.push_back(&operation);
    }
    /// Carries out what was held back.
    void release() {
        holds_file_work = false;
        for (Operation* operation : std::exchange(held, {})) {
            operation->in_flight = false;
            attempt(*operation);
            operation->on_complete(*operation);
        }
    }
    void cancel(Operation&) override {}
    void close(int fd) override { ::close(fd); }
    void turn() override {}
    void wake() override {}
    Instant now() const override { return Instant{} + std::chrono::hours(1); }
    WallTime wall_time() const override { return WallTime{.nanoseconds = wall_nanoseconds}; }
    void fill_random(std::span<std::byte> target) override {
        for (std::byte& octet : target) octet = std::byte{7};
    }

    int hashed = 0;
    int slept = 0;
    int opened = 0;
    bool queue_is_full = false;
    bool holds_file_work = false;
    std::vector<Operation*> held;
    std::int64_t wall_nanoseconds = 0;  // 1970: every file's times are settled
};

class MemoryLog final : public Log {
public:
    bool is_enabled(LogLevel) const override { return true; }
    void write(LogLevel level, std::string_view message) override {
        lines.emplace_back(message);
        if (level == LogLevel::error) ++errors;
    }
    std::vector<std::string> lines;
    int errors = 0;
};

constexpr const char* users =
    "plain@example.org:{PLAIN}secret:::Plain:/home/plain::userdb_mail=maildir:~/Maildir\n"
    "hashed@example.org:{CRYPT}$1$saltsalt$9xy1btjgzLYfb7hivXtC//\n"
    "other@example.org:{CRYPT}$1$saltsalt$9xy1btjgzLYfb7hivXtC//\n"
    "away@example.org:{CRYPT}$1$saltsalt$9xy1btjgzLYfb7hivXtC//::::::nologin\n"
    "locked@example.org:!\n"
    "bad@example.org:{WHAT}x\n";

/// A folder with the file `users`, and a verifier of it.
class World {
public:
    explicit World(bool loads_at_start = true, std::string_view content = users) {
        char folder[] = "/tmp/passwd-verifier-test-XXXXXX";
        REQUIRE(::mkdtemp(folder) != nullptr);
        folder_ = folder;
        write_users(content);
        std::shared_ptr<const PasswdTable> initial;
        if (loads_at_start) {
            auto loaded = load_passwd_table(path());
            REQUIRE(loaded.has_value());
            initial = *loaded;
        }
        auto place = PasswdPlace::open(path());
        REQUIRE(place.has_value());
        verifier.emplace(ring, log, std::move(*place),
                         UserNameRules{"example.org", NameMatch::ignore_case}, std::move(initial));
        // A table loaded within the granularity of file times is read again once; tests start after
        // that.
        if (loads_at_start) {
            (void)verify(PasswordProof{"plain", "secret"});
            ring.hashed = ring.opened = 0;
        }
    }
    ~World() {
        ::unlink(path().c_str());
        ::rmdir(path().c_str());
        ::rmdir(folder_.c_str());
    }

    std::string path() const { return folder_ + "/users"; }
    /// Replaced as a whole, as `restante passwd` does.
    void write_users(std::string_view content) {
        const std::string fresh = path() + ".new";
        std::FILE* file = std::fopen(fresh.c_str(), "w");
        REQUIRE(file != nullptr);
        std::fwrite(content.data(), 1, content.size(), file);
        std::fclose(file);
        REQUIRE(::rename(fresh.c_str(), path().c_str()) == 0);
    }
    Result<Verdict> verify(const Proof& proof) {
        Task<Result<Verdict>> task = verifier->verify(proof);
        task.start(nullptr, nullptr);
        REQUIRE(task.is_done());
        return task.take();
    }
    Result<Verdict> log_in(std::string_view user, std::string_view password) {
        return verify(PasswordProof{user, password});
    }
    bool accepts(std::string_view user, std::string_view password) {
        const Result<Verdict> verdict = log_in(user, password);
        REQUIRE(verdict.has_value());
        return std::holds_alternative<Account>(*verdict);
    }
    bool accepts_apop(std::string_view user, std::string_view secret) {
        const std::string timestamp = "<1896.697170952@dbc.mtview.ca.us>";
        const std::string digest =
            hex_encode(digest_of(DigestAlgorithm::md5, timestamp, secret)->view());
        const Result<Verdict> verdict = verify(ApopProof{user, timestamp, digest});
        REQUIRE(verdict.has_value());
        return std::holds_alternative<Account>(*verdict);
    }

    InlineRing ring;
    MemoryLog log;
    std::optional<PasswdFileVerifier> verifier;

private:
    std::string folder_;
};

}  // namespace

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

TEST_CASE("verifier: while one login reads the changed file the others go on with the old users") {
    World world;
    world.write_users("plain@example.org:{PLAIN}another\n");
    world.ring.holds_file_work = true;
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
    world.ring.holds_file_work = true;
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
