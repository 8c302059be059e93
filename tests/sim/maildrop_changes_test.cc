// A maildrop that other programs change while a session has it open, or that fails.
#include <doctest/doctest.h>

#include "sim/talk.h"

namespace restante::sim {
namespace {

using Kind = Request::Kind;

const std::string maildrop = World::maildrop("mrose");
const std::string first_path = maildrop + "/new/1130000000.M1P2.pop";
const std::string second_path = maildrop + "/cur/1130000001.M1P2.pop:2,S";

/// Messages 1 (in new/) and 2 (in cur/).
struct SmallWorld {
    explicit SmallWorld(const SimOptions& options = {}) : world(options) {
        world.add_user("mrose", talk_password);
        world.deliver("mrose", "1130000000.M1P2.pop", "From: a\n\none\n");
        world.deliver("mrose", "1130000001.M1P2.pop:2,S", "From: b\n\ntwo\n");
        world.wait(std::chrono::seconds(1));
    }
    std::size_t left() { return world.messages("mrose").size(); }
    World world;
};

constexpr unsigned failures_for_long = 100;

/// Whether it was refused, which is told to the client and to the log.
bool log_in_with_fault(const SimFaults::Plan& fault) {
    static constexpr std::string_view ids = "1 1130000000.M1P2.pop\r\n2 1130000001.M1P2.pop\r\n";
    SmallWorld small;
    small.world.ring().plan_fault(fault);
    Talk talk(small.world, "mrose");
    CAPTURE(static_cast<int>(fault.kind));
    CAPTURE(fault.error);
    CAPTURE(fault.skip);
    CAPTURE(talk.greeting());
    if (talk.greeting().starts_with("+OK")) {
        CHECK(talk.text("UIDL") == ids);
        return false;
    }
    const bool is_temporary = talk.greeting().starts_with("-ERR [SYS/TEMP]");
    const bool is_permanent = talk.greeting().starts_with("-ERR [SYS/PERM]");
    CHECK((is_temporary || is_permanent));
    if (fault.error == -ENOBUFS) CHECK(is_temporary);
    CHECK(log_of(small.world).contains("error: maildrop /var/vmail/mrose: "));
    if (fault.count == 1) CHECK(Talk(small.world, "mrose").text("UIDL") == ids);
    return true;
}

}  // namespace

TEST_CASE("a message that grew or shrank is refused, and measured anew at the next login") {
    SmallWorld small;
    std::string octets;
    SUBCASE("grew") { octets = "From: a\n\none\nand more\n"; }
    SUBCASE("shrank") { octets = "From: a\n\n"; }
    Talk talk(small.world, "mrose");
    small.world.files().overwrite_file(first_path, octets);
    CHECK(talk.ask("RETR 1").starts_with("-ERR [SYS/TEMP]"));
    CHECK(talk.ask("TOP 1 0").starts_with("-ERR [SYS/TEMP]"));
    CHECK(talk.text("RETR 2") == "From: b\r\n\r\ntwo\r\n");
    CHECK(talk.ask("QUIT") == "+OK bye");
    CHECK(log_of(small.world).contains("message is not what was indexed"));

    Talk next(small.world, "mrose");
    CHECK(next.ask("LIST 1") == "+OK 1 " + std::to_string(wire_form(octets).size()));
    CHECK(next.text("RETR 1") == wire_form(octets));
}

TEST_CASE("a message that another program renamed is still sent and removed") {
    SmallWorld small;
    Talk talk(small.world, "mrose");
    SUBCASE("to cur/, with flags") {
        small.world.files().rename(first_path, maildrop + "/cur/1130000000.M1P2.pop:2,S");
    }
    SUBCASE("back to new/") {
        small.world.files().rename(second_path, maildrop + "/new/1130000001.M1P2.pop");
    }
    SUBCASE("to other flags") {
        small.world.files().rename(second_path, maildrop + "/cur/1130000001.M1P2.pop:2,RS");
    }
    CHECK(talk.text("RETR 1") == "From: a\r\n\r\none\r\n");
    CHECK(talk.text("RETR 2") == "From: b\r\n\r\ntwo\r\n");
    CHECK(talk.ask("DELE 1").starts_with("+OK"));
    CHECK(talk.ask("DELE 2").starts_with("+OK"));
    CHECK(talk.ask("QUIT") == "+OK bye");
    CHECK(small.left() == 0);
}

TEST_CASE("a message that another program removed is refused; removing it counts as done") {
    SmallWorld small;
    Talk talk(small.world, "mrose");
    small.world.files().unlink(first_path);
    CHECK(talk.ask("RETR 1").starts_with("-ERR"));
    CHECK(talk.ask("STAT") == "+OK 2 32");  // fixed for the session
    CHECK(talk.ask("DELE 1").starts_with("+OK"));
    CHECK(talk.ask("QUIT") == "+OK bye");
    CHECK(small.left() == 1);
}

TEST_CASE("another file under the name of a marked message is not removed") {
    SmallWorld small;
    Talk talk(small.world, "mrose");
    CHECK(talk.ask("DELE 1").starts_with("+OK"));
    small.world.files().write_file(first_path, "From: somebody else\n\n");
    CHECK(talk.ask("RETR 2").starts_with("+OK"));
    talk.ask("QUIT");
    CHECK(small.left() == 2);
    CHECK(small.world.files().read_file(first_path) == "From: somebody else\n\n");
}

TEST_CASE("another file under the name of a message is not sent in its place") {
    SmallWorld small;
    Talk talk(small.world, "mrose");
    small.world.files().write_file(first_path, "From: a\n\nTWO\n");  // as long as it was
    CHECK(talk.ask("RETR 1").starts_with("-ERR [SYS/TEMP]"));
}

TEST_CASE("a file that shrinks in mid-RETR: the connection ends, never the final '.'") {
    SmallWorld small;
    const std::string large(600'000, 'x');
    small.world.deliver("mrose", "1130000002.M1P2.pop", "From: c\n\n" + large + "\n");
    Talk talk(small.world, "mrose");
    talk.client().stop_reading();
    talk.client().send("DELE 1\r\nRETR 3\r\nQUIT\r\n");
    small.world.settle();
    small.world.files().overwrite_file(maildrop + "/new/1130000002.M1P2.pop", "From: c\n\n");
    talk.client().resume_reading();
    small.world.settle();
    CHECK(talk.client().has_server_closed());
    CHECK(talk.client().received().starts_with("+OK marked as deleted\r\n+OK 600013 octets\r\n"));
    CHECK_FALSE(talk.client().received().ends_with(".\r\n"));
    CHECK(small.left() == 3);  // no UPDATE
    CHECK(log_of(small.world).contains("message changed while it was sent"));
}

TEST_CASE("a disk error in mid-RETR: refused while nothing has left, else the connection ends") {
    int refusals = 0;
    for (unsigned skip = 0; skip < 4; ++skip) {
        SmallWorld small({.seed = skip + 1});
        small.world.deliver("mrose", "1130000002.M1P2.pop", std::string(300'000, 'y'));
        small.world.wait(std::chrono::seconds(1));
        Talk talk(small.world, "mrose");
        small.world.ring().plan_fault({.kind = Kind::read, .error = -EIO, .skip = skip});
        talk.client().send("RETR 3\r\n");
        small.world.settle();
        const bool is_refused = talk.client().received().contains("-ERR [SYS/PERM]");
        refusals += is_refused ? 1 : 0;
        CHECK(talk.client().has_server_closed() == !is_refused);
        CHECK_FALSE(talk.client().received().ends_with(".\r\n"));
        CHECK(small.left() == 3);
    }
    CHECK(refusals > 0);
    CHECK(refusals < 4);
}

TEST_CASE("another session, or another program with the lock, is [IN-USE]") {
    SimOptions options;
    SUBCASE("by the directory") {}
    SUBCASE("by restante.lock, where the directory cannot be locked") {
        options.lock_by_file = true;
    }
    SmallWorld small(options);
    Talk holder(small.world, "mrose");
    CHECK(holder.greeting() == "+OK logged in");
    CHECK(Talk(small.world, "mrose").greeting().starts_with("-ERR [IN-USE]"));
    holder.drop();
    Talk next(small.world, "mrose");
    CHECK(next.greeting() == "+OK logged in");
    next.ask("DELE 1");
    CHECK(next.ask("QUIT") == "+OK bye");
    CHECK(small.left() == 1);
    CHECK(Talk(small.world, "mrose").greeting() == "+OK logged in");
}

TEST_CASE("the lock of another process keeps clients out until it ends") {
    SmallWorld small;
    small.world.files().lock(maildrop);
    CHECK(Talk(small.world, "mrose").greeting().starts_with("-ERR [IN-USE]"));
    small.world.files().unlock(maildrop);
    CHECK(Talk(small.world, "mrose").greeting() == "+OK logged in");
}

TEST_CASE("a login is refused, or shows every message: whichever call fails, once or for long") {
    std::size_t refused = 0;
    for (const Kind kind : {Kind::open, Kind::status, Kind::status_at, Kind::read, Kind::lock,
                            Kind::list_directory, Kind::replace_file}) {
        for (const int error : {-EIO, -ENOBUFS, -EACCES, -EMFILE}) {
            for (unsigned skip = 0; skip < 12; ++skip) {
                refused += log_in_with_fault({.kind = kind, .error = error, .skip = skip});
                refused += log_in_with_fault({kind, error, failures_for_long, skip});
            }
        }
    }
    CHECK(refused > 100);
}

TEST_CASE("whatever the error of a lock, it is no lock: the login is refused") {
    for (const int error : errnos_of(Kind::lock))
        CHECK(log_in_with_fault({.kind = Kind::lock, .error = -error}));
}

TEST_CASE("a message that cannot be read is listed and refused, and readable once it is cured") {
    SmallWorld small;
    small.world.files().set_open_error(first_path, -EACCES);
    {
        Talk talk(small.world, "mrose");
        CHECK(talk.ask("UIDL 1") == "+OK 1 1130000000.M1P2.pop");
        CHECK(talk.ask("RETR 1").starts_with("-ERR [SYS/"));
        CHECK(talk.text("RETR 2") == "From: b\r\n\r\ntwo\r\n");
        CHECK(talk.ask("QUIT") == "+OK bye");
    }
    CHECK(log_of(small.world).contains("new/1130000000.M1P2.pop: open message: Permission denied"));
    small.world.files().set_open_error(first_path, 0);
    small.world.wait(std::chrono::seconds(1));
    Talk next(small.world, "mrose");
    CHECK(next.text("RETR 1") == "From: a\r\n\r\none\r\n");
    CHECK(next.ask("LIST 1") == "+OK 1 16");
}

TEST_CASE("what UPDATE cannot remove is told, stays, and is there at the next login") {
    SmallWorld small;
    SUBCASE("read-only") { small.world.files().set_read_only(true); }
    SUBCASE("helpers busy") {
        small.world.ring().plan_fault({.kind = Kind::remove, .error = -ENOBUFS, .count = 9});
    }
    Talk talk(small.world, "mrose");
    talk.ask("DELE 1");
    talk.ask("DELE 2");
    CHECK(talk.ask("QUIT") == "-ERR [SYS/TEMP] some deleted messages not removed");
    CHECK(small.left() == 2);
    CHECK(Talk(small.world, "mrose").ask("STAT") == "+OK 2 32");
}

TEST_CASE("where the removals may not outlive a power cut, +OK is not said") {
    SmallWorld small;
    small.world.ring().plan_fault({.kind = Kind::sync, .error = -EIO});
    Talk talk(small.world, "mrose");
    talk.ask("DELE 1");
    CHECK(talk.ask("QUIT").starts_with("-ERR [SYS/TEMP]"));
    CHECK(log_of(small.world).contains("removals may not outlive a power cut"));
}

}  // namespace restante::sim
