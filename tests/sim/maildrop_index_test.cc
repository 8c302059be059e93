// restante.index through whole sessions: whatever becomes of it, clients see the same maildrop; and
// what it saves.
#include <doctest/doctest.h>

#include <functional>

#include "sim/talk.h"

namespace restante::sim {
namespace {

using Kind = Request::Kind;

const std::string maildrop = World::maildrop("mrose");
const std::string index_path = maildrop + "/restante.index";

/// Two messages, one session behind it: there is an index, and it is trusted.
struct IndexedWorld {
    explicit IndexedWorld(const WorldSettings& settings = {}) : world({}, settings) {
        world.add_user("mrose", talk_password);
        world.deliver("mrose", "1130000000.M1P2.pop", "From: a\n\n.dot\nlast");
        world.deliver("mrose", "1130000001.M1P2.pop,S=9:2,S", "From: b\n\n");
        world.wait(std::chrono::seconds(1));
        seen = session();
        world.wait(std::chrono::seconds(1));
    }

    /// What a client sees; "" where it is not let in.
    std::string session() {
        Talk talk(world, "mrose");
        if (!talk.greeting().starts_with("+OK")) return "";
        std::string listings = talk.listings();
        talk.ask("QUIT");
        return listings;
    }

    /// What a client of a fresh server, which remembers nothing, sees.
    std::string session_after_restart() {
        world.restart();
        return session();
    }

    World world;
    std::string seen;
};

/// Where a server has the index from: a fresh one remembers nothing.
enum class IndexFrom : std::uint8_t { memory, file };

/// Operations of `kind` that one session takes.
std::uint64_t operations_of_session(IndexedWorld& indexed, IndexFrom from, Kind kind) {
    if (from == IndexFrom::file) indexed.world.restart();
    const std::uint64_t before = indexed.world.ring().operations_of(kind);
    CHECK(indexed.session() == indexed.seen);
    return indexed.world.ring().operations_of(kind) - before;
}

/// The mail root and the maildrop; by a fresh server the index, too.
std::uint64_t opens_max(IndexFrom from) { return from == IndexFrom::file ? 3 : 2; }

/// 10,000 more messages, which the index has.
void deliver_many(IndexedWorld& indexed) {
    for (int i = 0; i < 10'000; ++i) {
        const std::string name = std::to_string(1140000000 + i) + ".M1P2.pop";
        indexed.world.deliver("mrose", name, "From: " + std::to_string(i) + "\n\n");
    }
    indexed.world.wait(std::chrono::seconds(1));
    indexed.seen = indexed.session();
    CHECK(indexed.seen.contains("\r\n10002 1140009999.M1P2.pop\r\n"));
    indexed.world.wait(std::chrono::seconds(1));
}

}  // namespace

TEST_CASE("an index with any octet flipped changes nothing visible") {
    IndexedWorld indexed;
    REQUIRE(indexed.seen.contains("1130000001.M1P2.pop\r\n"));
    const std::string index = indexed.world.files().read_file(index_path);
    for (std::size_t at = 0; at < index.size(); ++at) {
        std::string damaged = index;
        damaged[at] = static_cast<char>(damaged[at] ^ (1 << at % 8));
        indexed.world.files().write_file(index_path, damaged);
        CHECK_MESSAGE(indexed.session_after_restart() == indexed.seen, "octet ", at);
        CHECK_MESSAGE(log_of(indexed.world).contains("restante.index is damaged"), "octet ", at);
    }
}

TEST_CASE("an index cut at any length changes nothing visible") {
    IndexedWorld indexed;
    const std::string index = indexed.world.files().read_file(index_path);
    for (std::size_t octets = 0; octets < index.size(); ++octets) {
        indexed.world.files().write_file(index_path, index.substr(0, octets));
        CHECK_MESSAGE(indexed.session_after_restart() == indexed.seen, octets, " octets");
        CHECK_MESSAGE(log_of(indexed.world).contains("restante.index is damaged"), octets,
                      " octets");
    }
}

TEST_CASE("something else in the index's place changes nothing visible") {
    IndexedWorld indexed;
    SimFileSystem& files = indexed.world.files();
    const std::vector<std::function<void()>> damages = {
        [&] { files.unlink(index_path); },
        [&] { files.write_file(index_path, "garbage\n"); },
        [&] { files.write_file(index_path, std::string(100'000, '\0')); },
        [&] { files.write_file(index_path, files.read_file(index_path) + "more"); },
        [&] { files.set_open_error(index_path, -EACCES); },
        [&] { files.set_open_error(index_path, -EIO); },
        [&] { files.unlink(index_path), files.make_directory(index_path); },
        [&] { files.unlink(index_path), files.make_link(index_path); },
        [&] { files.unlink(index_path), files.make_fifo(index_path); },
    };
    for (std::size_t at = 0; at < damages.size(); ++at) {
        damages[at]();
        CHECK_MESSAGE(indexed.session_after_restart() == indexed.seen, "damage ", at);
        CHECK_MESSAGE(indexed.session_after_restart() == indexed.seen, "again, damage ", at);
    }
}

TEST_CASE("the index of another maildrop, put in its place, does not show the other's mail") {
    IndexedWorld indexed;
    indexed.world.add_user("elise", talk_password);
    indexed.world.deliver("elise", "1130000007.M1P2.pop", "From: c\n\n");
    indexed.world.wait(std::chrono::seconds(1));
    CHECK(Talk(indexed.world, "elise").ask("QUIT") == "+OK bye");
    const std::string other = World::maildrop("elise") + "/restante.index";
    indexed.world.files().write_file(index_path, indexed.world.files().read_file(other));
    CHECK(indexed.session_after_restart() == indexed.seen);
}

TEST_CASE("a disk that is full or read-only costs a log line, not the login") {
    IndexedWorld indexed;
    SimFileSystem& files = indexed.world.files();
    files.unlink(index_path);
    SUBCASE("full") { files.set_full(true); }
    SUBCASE("read-only") { files.set_read_only(true); }
    SUBCASE("the helpers' queue is full") {
        indexed.world.ring().plan_fault({.kind = Kind::replace_file, .error = -ENOBUFS});
    }
    CHECK(indexed.session_after_restart() == indexed.seen);
    CHECK(log_of(indexed.world).contains("restante.index cannot be written"));
    CHECK_FALSE(files.exists(index_path));
    CHECK(indexed.session() == indexed.seen);  // from memory
}

TEST_CASE("an unchanged maildrop is opened without listing it, and with few calls") {
    IndexedWorld indexed;
    for (const IndexFrom from : {IndexFrom::memory, IndexFrom::file}) {
        CHECK(operations_of_session(indexed, from, Kind::list_directory) == 0);
        CHECK(operations_of_session(indexed, from, Kind::open) <= opens_max(from));
        CHECK(operations_of_session(indexed, from, Kind::replace_file) == 0);
    }
}

TEST_CASE("10,000 messages are opened with the calls that two take") {
    IndexedWorld indexed;
    deliver_many(indexed);
    for (const IndexFrom from : {IndexFrom::memory, IndexFrom::file}) {
        CHECK(operations_of_session(indexed, from, Kind::list_directory) == 0);
        CHECK(operations_of_session(indexed, from, Kind::open) <= opens_max(from));
        CHECK(operations_of_session(indexed, from, Kind::status_at) ==
              (from == IndexFrom::file ? 3 : 1));
        CHECK(operations_of_session(indexed, from, Kind::read) == (from == IndexFrom::file));
    }
}

TEST_CASE("one new message among 10,000 is the only one that is read") {
    IndexedWorld indexed;
    deliver_many(indexed);
    indexed.world.deliver("mrose", "1150000000.M1P2.pop", "From: new\n\n");
    indexed.world.wait(std::chrono::seconds(1));
    const std::uint64_t before = indexed.world.ring().operations_of(Kind::read);
    CHECK(indexed.session().contains("10003 13\r\n"));
    CHECK(indexed.world.ring().operations_of(Kind::read) - before <= 2);  // it and the index
}

TEST_CASE("a change within the clock tick of a listing shows at the next login") {
    IndexedWorld indexed;
    for (int i = 0; i < 20; ++i) {
        const std::string name = std::to_string(1160000000 + i) + ".M1P2.pop";
        indexed.world.deliver("mrose", name, "From: c\n\n");
        CHECK(indexed.session().contains(name));
        indexed.world.ring().run_for(std::chrono::milliseconds(i));
    }
}

TEST_CASE(
    "a maildrop that is read for the first time keeps nobody waiting, though all is in memory") {
    World world({.inline_answers = InlineAnswers::always});
    world.add_user("mrose", talk_password);
    world.add_user("sally", talk_password);
    for (int i = 0; i < 2000; ++i)
        world.deliver("mrose", std::to_string(1130000000 + i) + ".M1P2.pop", "From: a\n\nb\n");
    Talk other(world, "sally");
    Client client = world.connect();
    world.run_until_replied(client, "\r\n");
    client.send("USER mrose\r\nPASS " + std::string(talk_password) + "\r\n");
    const std::uint64_t before = world.ring().operations_of(Kind::read);
    world.ring().run_until([&] { return world.ring().operations_of(Kind::read) > before + 50; });
    client.take_received();
    other.client().send("NOOP\r\n");
    world.run_until_replied(other.client(), "\r\n");
    CHECK(other.client().received() == "+OK\r\n");
    CHECK(client.received().empty());  // not logged in yet
    world.run_until_replied(client, "\r\n");
    CHECK(client.received().starts_with("+OK"));
}

TEST_CASE("new messages on a slow disk are read several at a time") {
    World world({.shuffle = false, .inline_answers = InlineAnswers::never});
    world.add_user("mrose", talk_password);
    for (int i = 0; i < 40; ++i)
        world.deliver("mrose", std::to_string(1130000000 + i) + ".M1P2.pop", "From: a\n\nb\n");
    Client client = world.connect();
    client.send("USER mrose\r\nPASS " + std::string(talk_password) + "\r\nQUIT\r\n");
    std::size_t at_once = 0;
    world.ring().run_until([&] {
        at_once = std::max(at_once, world.buffers_lent());
        return client.has_server_closed();
    });
    CHECK(at_once >= 8);  // each reader has a buffer
    CHECK(client.received().contains("+OK bye"));
}

}  // namespace restante::sim
