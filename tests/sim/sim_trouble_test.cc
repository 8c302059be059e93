// What the simulator can do to a server: each trouble is what it says, and no more.
#include <doctest/doctest.h>
#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <set>

#include "sim/scenario.h"
#include "sim/seed_hunt.h"
#include "sim/sim_await.h"

namespace restante::sim {
namespace {

constexpr std::string_view address = "192.0.2.25:110";
constexpr const char* folder = "/var/vmail/mrose/new";

std::string path_of(int file) { return std::string(folder) + "/" + std::to_string(file); }

void make_files(SimRing& ring, int count) {
    ring.files().make_directory(folder);
    for (int file = 0; file < count; ++file) ring.files().write_file(path_of(file), "text");
}

/// A connection with its server's end.
struct Link {
    explicit Link(SimRing& simulated)
        : ring(simulated), listener(ring.listen(address)), client(ring.connect(listener)) {
        socket = ask_for_handle(ring, Request::accept(listener, peer, local));
    }
    ~Link() { ring.close(listener); }

    SimRing& ring;
    const int listener;
    Client client;
    SocketAddress peer;
    SocketAddress local;
    Handle socket;
};

}  // namespace

TEST_CASE("sim trouble: every errno that an open may return comes, and none that would be a lie") {
    std::set<std::int64_t> results;
    SimRing ring({.any_errno_probability = 0.5});
    make_files(ring, 1);
    for (int i = 0; i < 2000; ++i) {
        const std::int64_t opened =
            ask(ring, Request::open(AT_FDCWD, folder, Request::Open::directory));
        results.insert(std::min<std::int64_t>(opened, 0));
        if (opened > 0) ring.close(static_cast<int>(opened));
    }
    CHECK(results.size() == errnos_of(Request::Kind::open).size() + 1);
    CHECK_FALSE(results.contains(-ENOENT));
    ring.calm();
    CHECK(
        ask_for_handle(ring, Request::open(AT_FDCWD, folder, Request::Open::directory)).is_open());
}

TEST_CASE("sim trouble: what is late completes all the same, after its time, cancelled or not") {
    SimRing ring({.late_probability = 1, .late_max = std::chrono::seconds(10)});
    make_files(ring, 1);
    const Handle directory = open_directory(ring, folder);
    const Instant begun = ring.now();
    Operation operation(Request::sync(directory.get()));
    bool has_completed = false;
    operation.context = &has_completed;
    operation.on_complete = [](Operation& done) { *static_cast<bool*>(done.context) = true; };
    ring.submit(operation);
    ring.cancel(operation);
    CHECK(ring.settle());
    CHECK_FALSE(has_completed);
    CHECK(ring.run_until_idle());
    CHECK(has_completed);
    CHECK(operation.result == 0);
    CHECK(ring.now() > begun);
    CHECK(ring.now() < begun + std::chrono::seconds(10));
}

TEST_CASE("sim trouble: a listing in parts skips or repeats what is renamed, and nothing else") {
    bool has_skipped = false;
    bool has_repeated = false;
    for (std::uint64_t seed = 1; seed <= 300; ++seed) {
        SimRing ring({.seed = seed, .listings_in_parts = true});
        make_files(ring, 12);
        const Handle directory = open_directory(ring, folder);
        DirectoryListing listing;
        Task<std::int64_t> task =
            result_of(ring, Request::list_directory(directory.get(), listing));
        task.start(ignore_end, nullptr);
        ring.turn();
        const int other = 100 + static_cast<int>(seed);
        if (!task.is_done()) ring.files().rename(path_of(0), path_of(other));
        REQUIRE(ring.settle());
        std::multiset<std::string> names;
        for (const DirectoryListing::Entry& entry : listing.entries())
            names.emplace(listing.name(entry));
        for (int file = 1; file < 12; ++file) CHECK(names.count(std::to_string(file)) == 1);
        const std::size_t renamed = names.count("0") + names.count(std::to_string(other));
        has_skipped = has_skipped || renamed == 0;
        has_repeated = has_repeated || renamed == 2;
    }
    CHECK(has_skipped);
    CHECK(has_repeated);
}

TEST_CASE("sim trouble: a file read in parts may be of two contents; a short read is one of them") {
    bool has_mixed = false;
    for (std::uint64_t seed = 1; seed <= 100; ++seed) {
        SimRing ring({.seed = seed, .torn_reads = true});
        make_files(ring, 0);
        ring.files().write_file(path_of(0), std::string(100, 'a'));
        const Handle directory = open_directory(ring, folder);
        const Handle file =
            ask_for_handle(ring, Request::open(directory.get(), "0", Request::Open::file));
        std::string text(100, '\0');
        Task<std::int64_t> task = result_of(ring, Request::read(file.get(), text, 0));
        task.start(ignore_end, nullptr);
        ring.turn();
        ring.files().overwrite_file(path_of(0), std::string(100, 'b'));
        REQUIRE(ring.settle());
        CHECK(task.take() == 100);
        CHECK(text ==
              std::string(static_cast<std::size_t>(std::ranges::count(text, 'a')), 'a') +
                  std::string(static_cast<std::size_t>(std::ranges::count(text, 'b')), 'b'));
        has_mixed = has_mixed || (text.front() == 'a' && text.back() == 'b');
    }
    CHECK(has_mixed);
    SimRing ring({.short_file_probability = 1});
    make_files(ring, 1);
    const Handle directory = open_directory(ring, folder);
    const Handle file =
        ask_for_handle(ring, Request::open(directory.get(), "0", Request::Open::file));
    std::string text(4, '\0');
    CHECK(ask(ring, Request::read(file.get(), text, 0)) < 4);
}

TEST_CASE(
    "sim trouble: across a split nothing passes, neither octets nor an end; healed, all of it") {
    SimRing ring({.short_reads = false});
    Link link(ring);
    link.client.split();
    link.client.send("NOOP\r\n");
    link.client.finish();
    std::string got;
    Task<std::int64_t> receive = result_of(
        ring, Request::receive(link.socket.get()).until(ring.now() + std::chrono::hours(1)));
    receive.start(ignore_end, nullptr);
    CHECK(ask(ring, Request::send(link.socket.get(), std::string_view("+OK\r\n"), false)) == 5);
    CHECK(ask(ring, Request::shutdown(link.socket.get())) == 0);
    CHECK(ring.settle());
    CHECK_FALSE(receive.is_done());
    CHECK(link.client.received().empty());
    CHECK_FALSE(link.client.has_server_closed());
    link.client.heal();
    CHECK(ring.settle());
    REQUIRE(receive.is_done());
    CHECK(receive.take() == 6);
    CHECK(link.client.received() == "+OK\r\n");
    CHECK(link.client.has_server_closed());
}

TEST_CASE("sim trouble: a connection is reset after any number of octets") {
    for (std::uint64_t octets = 1; octets <= 20; ++octets) {
        SimRing ring({.short_reads = false});
        Link link(ring);
        link.client.reset_after(octets);
        ask(ring,
            Request::send(link.socket.get(), std::string_view("0123456789012345678901"), false));
        CHECK(link.client.received().size() == octets);
        CHECK(link.client.was_reset());
        CHECK(ask(ring, Request::receive(link.socket.get())) == -ECONNRESET);
    }
}

TEST_CASE("sim trouble: a power cut may undo a lazy rename, unless either folder was synced") {
    bool was_undone = false;
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
        const bool is_synced = seed % 2 == 0;
        SimClock clock;
        SimRandom random(seed);
        SimFileSystem files(clock, {.reuse_inodes = false, .lazy_renames = true});
        files.make_directory("/new");
        files.make_directory("/cur");
        files.write_file("/new/0", "text");
        files.rename("/new/0", "/cur/0:2,S");
        if (is_synced) CHECK(files.sync(files.find(seed % 4 == 0 ? "/new" : "/cur")) == 0);
        files.stop();
        files.restore_power(random);
        const bool is_back = files.exists("/new/0");
        CHECK(is_back != files.exists("/cur/0:2,S"));
        if (is_synced) CHECK_FALSE(is_back);
        was_undone = was_undone || is_back;
    }
    CHECK(was_undone);
}

TEST_CASE("scenario: its words are read back as they were written") {
    for (std::uint64_t seed = 1; seed <= 50; ++seed) {
        const TroubleSet trouble = Scenario::of_seed(seed).trouble;
        const std::optional<TroubleSet> read = TroubleSet::parse(trouble.text());
        REQUIRE(read.has_value());
        CHECK(read->text() == trouble.text());
    }
    CHECK(TroubleSet::parse("none")->text() == "none");
    CHECK_FALSE(TroubleSet::parse("gremlins").has_value());
}

TEST_CASE("pop3 model: TOP is the headers, the blank line and so many lines") {
    const std::string text = "A: b\r\nC: d\r\n\r\none\r\ntwo\r\n";
    CHECK(top_of(text, 0) == "A: b\r\nC: d\r\n\r\n");
    CHECK(top_of(text, 1) == "A: b\r\nC: d\r\n\r\none\r\n");
    CHECK(top_of(text, 9) == text);
    CHECK(top_of("\r\none\r\n", 0) == "\r\n");
    CHECK(top_of("no blank line\r\n", 0) == "no blank line\r\n");
    CHECK(top_of("", 3).empty());
}

}  // namespace restante::sim
