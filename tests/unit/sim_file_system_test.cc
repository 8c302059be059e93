// The simulator itself: its disk, and what a power cut leaves of it.

#include "sim/sim_file_system.h"

#include <doctest/doctest.h>
#include <fcntl.h>

#include <array>
#include <cerrno>
#include <set>
#include <string>
#include <vector>

#include "ring/task.h"
#include "sim/sim_await.h"
#include "sim/sim_ring.h"

using namespace restante;
using namespace restante::sim;

namespace {

Removal removal_of(SimRing& ring, int directory, const std::string& path) {
    const FileStatus status = ring.files().status(path);
    return {.directory = directory,
            .name = path.substr(path.rfind('/') + 1),
            .device = status.device,
            .inode = status.inode};
}

/// A directory with the files "0" to "9", and a descriptor of it.
struct MailFolder {
    explicit MailFolder(SimRing& simulated) : ring(simulated) {
        ring.files().make_directory("/var/vmail/mrose/new");
        for (int i = 0; i < 10; ++i) {
            ring.files().write_file(path(i), "message " + std::to_string(i) + "\n");
        }
        directory = open_directory(ring, "/var/vmail/mrose/new");
    }
    static std::string path(int i) { return "/var/vmail/mrose/new/" + std::to_string(i); }
    std::vector<Removal> removals(int count) {
        std::vector<Removal> all;
        for (int i = 0; i < count; ++i) all.push_back(removal_of(ring, directory.get(), path(i)));
        return all;
    }

    SimRing& ring;
    Handle directory;
};

}  // namespace

TEST_CASE("sim files: opening refuses links, odd kinds and ways out, as openat2 does") {
    SimRing ring({});
    SimFileSystem& files = ring.files();
    files.make_directory("/var/vmail/mrose/new");
    files.write_file("/var/vmail/mrose/new/a", "text");
    files.make_link("/var/vmail/mrose/link");
    files.make_fifo("/var/vmail/mrose/fifo");
    const Handle root = open_directory(ring, "/var/vmail");
    const auto open = [&ring, &root](const char* name, Request::Open what) {
        return ask(ring, Request::open(root.get(), name, what));
    };
    using enum Request::Open;
    CHECK(open("mrose/new/a", file) >= 1000);
    CHECK(open("mrose/new", directory) >= 1000);
    CHECK(open("mrose/none", file) == -ENOENT);
    CHECK(open("", file) == -ENOENT);
    CHECK(open("mrose/new", file) == -EINVAL);
    CHECK(open("mrose/fifo", file) == -EINVAL);
    CHECK(open("mrose/link", file) == -ELOOP);
    CHECK(open("mrose/link/a", file) == -ELOOP);
    CHECK(open("mrose/new/a", directory) == -ENOTDIR);
    CHECK(open("mrose/new/a/b", file) == -ENOTDIR);
    CHECK(open("../vmail", directory) == -EXDEV);
    CHECK(open("/var/vmail", directory) == -EXDEV);
    CHECK(open(std::string(4096, 'x').c_str(), file) == -ENAMETOOLONG);
    files.set_open_error("/var/vmail/mrose/new/a", -EACCES);
    CHECK(open("mrose/new/a", file) == -EACCES);
}

TEST_CASE("sim files: status and status_at agree, and a link is itself") {
    SimRing ring({});
    ring.files().make_directory("/var/vmail");
    ring.files().write_file("/var/vmail/a", "12345");
    ring.files().make_link("/var/vmail/link");
    const Handle root = open_directory(ring, "/var/vmail");
    const Handle file = ask_for_handle(ring, Request::open(root.get(), "a", Request::Open::file));
    FileStatus by_descriptor;
    FileStatus by_name;
    FileStatus link;
    CHECK(ask(ring, Request::status(file.get(), by_descriptor)) == 0);
    CHECK(ask(ring, Request::status_at(root.get(), "a", by_name)) == 0);
    CHECK(by_descriptor == by_name);
    CHECK(by_name.octets == 5);
    CHECK(by_name.kind == FileKind::regular);
    CHECK(ask(ring, Request::status_at(AT_FDCWD, "/var/vmail/link", link)) == 0);
    CHECK(link.kind == FileKind::other);
    CHECK(ask(ring, Request::status_at(root.get(), "none", link)) == -ENOENT);
    FileStatus both[2];
    CHECK(ask(ring, Request::status_of_two(root.get(), "none", "a", both)) == -ENOENT);
    CHECK(ask(ring, Request::status_of_two(root.get(), "link", "a", both)) == 0);
    CHECK(both[0].kind == FileKind::other);
    CHECK(both[1] == by_name);
}

TEST_CASE("sim files: a read is short only at the end; generated content needs no memory") {
    SimRing ring({});
    ring.files().make_directory("/m");
    constexpr std::uint64_t huge = 5'000'000'000;
    ring.files().write_file("/m/huge",
                            SimContent(huge, [](std::uint64_t offset, std::span<char> target) {
                                for (char& octet : target)
                                    octet = static_cast<char>('a' + offset++ % 26);
                            }));
    const Handle file =
        ask_for_handle(ring, Request::open(AT_FDCWD, "/m/huge", Request::Open::file));
    std::array<char, 100> space{};
    CHECK(ask(ring, Request::read(file.get(), space, 26)) == 100);
    CHECK(std::string_view(space.data(), 3) == "abc");
    CHECK(ask(ring, Request::read(file.get(), space, huge - 7)) == 7);
    CHECK(ask(ring, Request::read(file.get(), space, huge)) == 0);
    ring.files().overwrite_file("/m/huge", "cut");  // the same inode: an open descriptor sees it
    CHECK(ask(ring, Request::read(file.get(), space, 1)) == 2);
}

TEST_CASE(
    "sim files: listing has every name once with its kind; a full listing replaces the last") {
    SimRing ring({});
    MailFolder folder(ring);
    ring.files().make_link("/var/vmail/mrose/new/link");
    DirectoryListing listing;
    for (int round = 0; round < 2; ++round) {
        CHECK(ask(ring, Request::list_directory(folder.directory.get(), listing)) == 0);
        CHECK(listing.entries().size() == 11);
    }
    std::set<std::string_view> names;
    for (const DirectoryListing::Entry& entry : listing.entries()) {
        names.insert(entry.name);
        CHECK((entry.kind == FileKind::other) == (entry.name == "link"));
    }
    CHECK(names.size() == 11);
}

TEST_CASE("sim files: remove takes only the file that was meant") {
    SimRing ring({});
    MailFolder folder(ring);
    std::vector<Removal> removals = folder.removals(3);
    ring.files().unlink(MailFolder::path(1));
    ring.files().write_file(MailFolder::path(2), "another file");
    CHECK(ask(ring, Request::remove(removals)) == 0);
    CHECK(removals[0].result == 0);
    CHECK(removals[1].result == -ENOENT);
    CHECK(removals[2].result == -ESTALE);
    CHECK_FALSE(ring.files().exists(MailFolder::path(0)));
    CHECK(ring.files().read_file(MailFolder::path(2)) == "another file");
}

TEST_CASE("sim files: changes move a directory's times, within a tick they cannot be told apart") {
    SimRing ring({});
    SimFileSystem& files = ring.files();
    files.make_directory("/m");
    const FileStatus empty = files.status("/m");
    files.write_file("/m/a", "");
    CHECK(files.status("/m") == empty);
    ring.clock().advance(SimClock::tick);
    files.rename("/m/a", "/m/b");
    const FileStatus renamed = files.status("/m");
    CHECK(renamed.modified > empty.modified);
    CHECK(files.status("/m/b").changed == renamed.changed);
    CHECK(files.status("/m/b").modified < renamed.modified);
}

TEST_CASE(
    "sim files: inode numbers are used again where asked for, but not while a descriptor is open") {
    SimRing ring({.reuse_inodes = true});
    SimFileSystem& files = ring.files();
    files.make_directory("/m");
    files.write_file("/m/a", "");
    const std::uint64_t number = files.status("/m/a").inode;
    Handle file = ask_for_handle(ring, Request::open(AT_FDCWD, "/m/a", Request::Open::file));
    files.unlink("/m/a");
    files.write_file("/m/b", "");
    CHECK(files.status("/m/b").inode != number);
    file.reset();
    files.write_file("/m/c", "");
    CHECK(files.status("/m/c").inode == number);
}

TEST_CASE("sim files: a lock is exclusive for each directory until its descriptor is closed") {
    for (const bool by_file : {false, true}) {
        SimRing ring({.lock_by_file = by_file});
        ring.files().make_directory("/m/one");
        ring.files().make_directory("/m/two");
        Handle first = open_directory(ring, "/m/one");
        Handle second = open_directory(ring, "/m/one");
        Handle other = open_directory(ring, "/m/two");
        const std::int64_t locked = ask(ring, Request::lock(first.get()));
        CHECK((by_file ? locked >= 1000 : locked == 0));
        CHECK(ring.files().exists("/m/one/restante.lock") == by_file);
        const std::size_t open = ring.open_descriptor_count();
        CHECK(ask(ring, Request::lock(second.get())) == -EWOULDBLOCK);
        CHECK(ring.open_descriptor_count() == open);
        CHECK(ask(ring, Request::lock(other.get())) >= 0);
        if (by_file) ring.close(static_cast<int>(locked));
        first.reset();
        CHECK(ask(ring, Request::lock(second.get())) >= 0);
    }
    SimRing ring({});
    ring.files().make_directory("/m");
    ring.files().lock("/m");
    const Handle directory = open_directory(ring, "/m");
    CHECK(ask(ring, Request::lock(directory.get())) == -EWOULDBLOCK);
    ring.files().unlock("/m");
    CHECK(ask(ring, Request::lock(directory.get())) == 0);
}

TEST_CASE("sim files: a full and a read-only disk refuse changes and keep what is there") {
    SimRing ring({});
    MailFolder folder(ring);
    const Request write =
        Request::replace_file(folder.directory.get(), "index", std::string_view("new"));
    CHECK(ask(ring, write) == 0);
    CHECK(ring.files().read_file("/var/vmail/mrose/new/index") == "new");
    const std::uint64_t changes = ring.changes();
    ring.files().set_full(true);
    CHECK(ask(ring, write) == -ENOSPC);
    ring.files().set_full(false);
    ring.files().set_read_only(true);
    CHECK(ask(ring, write) == -EROFS);
    std::vector<Removal> removals = folder.removals(1);
    CHECK(ask(ring, Request::remove(removals)) == 0);
    CHECK(removals[0].result == -EROFS);
    CHECK(ring.changes() == changes);
    CHECK(ring.files().list("/var/vmail/mrose/new").size() == 11);
}

TEST_CASE(
    "sim crash: power goes after the n-th change, within one remove, and nothing completes any "
    "more") {
    SimRing ring({});
    MailFolder folder(ring);
    std::vector<Removal> removals = folder.removals(10);
    ring.crash_after(4);
    Task<std::int64_t> removing = result_of(ring, Request::remove(removals));
    removing.start(ignore_end, nullptr);
    CHECK_FALSE(ring.run_until([&removing] { return removing.is_done(); }));
    CHECK(ring.has_crashed());
    CHECK_FALSE(removing.is_done());
    CHECK(ring.files().list("/var/vmail/mrose/new").size() == 6);
    Task<std::int64_t> writing = result_of(
        ring, Request::replace_file(folder.directory.get(), "index", std::string_view("x")));
    writing.start(ignore_end, nullptr);
    ring.turn();
    CHECK_FALSE(writing.is_done());
    CHECK(ring.drain_after_crash());
    CHECK(removing.take() == -EIO);
    CHECK(writing.take() == -EIO);
    CHECK(ring.files().list("/var/vmail/mrose/new").size() == 6);
    ring.restart();
    CHECK(ring.open_descriptor_count() == 0);
    folder.directory.reset();  // from before the crash: closed in vain
}

TEST_CASE("sim crash: what was ready in the same turn is not carried out") {
    struct Mark final : Work {
        void run() override { ran = true; }
        bool ran = false;
    };
    SimRing ring({.shuffle = false});
    MailFolder folder(ring);
    Mark mark;
    ring.crash_after(1);
    Task<std::int64_t> syncing = result_of(ring, Request::sync(folder.directory.get()));
    Task<std::int64_t> working = result_of(ring, Request::offload(HelperKind::files, mark));
    syncing.start(ignore_end, nullptr);
    working.start(ignore_end, nullptr);
    ring.turn();
    CHECK(ring.has_crashed());
    REQUIRE(ring.drain_after_crash());
    CHECK_FALSE(mark.ran);
    CHECK(working.take() == -EAGAIN);
}

TEST_CASE("sim crash: what another program wrote is there, whatever the server did to that name") {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        SimRing ring({.seed = seed});
        MailFolder folder(ring);
        std::vector<Removal> removals = folder.removals(1);
        CHECK(ask(ring, Request::remove(removals)) == 0);
        ring.files().write_file(MailFolder::path(0), "delivered later");
        ring.crash_after(1);
        const Request request =
            Request::replace_file(folder.directory.get(), "x", std::string_view());
        Task<std::int64_t> writing = result_of(ring, request);
        writing.start(ignore_end, nullptr);
        CHECK_FALSE(ring.run_until_idle());
        REQUIRE(ring.drain_after_crash());
        ring.restart();
        CHECK(ring.files().read_file(MailFolder::path(0)) == "delivered later");
    }
}

TEST_CASE(
    "sim crash: what was synced stays removed, what was not may come back, nothing else changes") {
    std::set<std::size_t> survivors;
    for (std::uint64_t seed = 1; seed <= 60; ++seed) {
        SimRing ring({.seed = seed});
        MailFolder folder(ring);
        std::vector<Removal> removals = folder.removals(6);
        const std::span<Removal> all = removals;
        CHECK(ask(ring, Request::remove(all.first(3))) == 0);
        CHECK(ask(ring, Request::sync(folder.directory.get())) == 0);
        ring.files().write_file("/var/vmail/mrose/new/arrived", "by another program");
        ring.crash_after(3);
        Task<std::int64_t> removing = result_of(ring, Request::remove(all.last(3)));
        removing.start(ignore_end, nullptr);
        ring.run_until_idle();
        REQUIRE(ring.drain_after_crash());
        const FileStatus before = ring.files().status("/var/vmail/mrose/new");
        ring.restart();
        for (int i = 0; i < 3; ++i) CHECK_FALSE(ring.files().exists(MailFolder::path(i)));
        for (int i = 6; i < 10; ++i) CHECK(ring.files().exists(MailFolder::path(i)));
        CHECK(ring.files().exists("/var/vmail/mrose/new/arrived"));
        const std::size_t left = ring.files().list("/var/vmail/mrose/new").size();
        survivors.insert(left);
        const bool times_changed = ring.files().status("/var/vmail/mrose/new") != before;
        CHECK((left == 5 || left == 8 ||
               times_changed));  // a mixture never looks like what was recorded
    }
    CHECK(survivors == std::set<std::size_t>{5, 6, 7, 8});
}

TEST_CASE("sim crash: a replaced file that was not synced is old, new or torn") {
    std::set<std::string> contents;
    bool left_temporary = false;
    for (std::uint64_t seed = 1; seed <= 200; ++seed) {
        SimRing ring({.seed = seed});
        ring.files().make_directory("/m");
        ring.files().write_file("/m/index", "old");
        const Handle directory = open_directory(ring, "/m");
        ring.crash_after(1);
        const Request request =
            Request::replace_file(directory.get(), "index", std::string_view("fresh"));
        Task<std::int64_t> writing = result_of(ring, request);
        writing.start(ignore_end, nullptr);
        CHECK_FALSE(ring.run_until_idle());
        REQUIRE(ring.drain_after_crash());
        ring.restart();
        contents.insert(ring.files().read_file("/m/index"));
        left_temporary |= ring.files().exists("/m/index.tmp");
    }
    for (const char* cut : {"", "f", "fr", "fre", "fres", "fresh", "old"}) {
        CHECK(contents.contains(cut));
    }
    CHECK(contents.contains(std::string("fr\0\0\0", 5)));
    CHECK(left_temporary);
}

TEST_CASE("sim crash: a replaced file is new once it and its directory were synced") {
    for (std::uint64_t seed = 1; seed <= 50; ++seed) {
        SimRing ring({.seed = seed});
        ring.files().make_directory("/m");
        ring.files().write_file("/m/index", "old");
        const Handle directory = open_directory(ring, "/m");
        ring.crash_after(3);
        CHECK(ask(ring,
                  Request::replace_file(directory.get(), "index", std::string_view("fresh"))) == 0);
        const Handle file =
            ask_for_handle(ring, Request::open(directory.get(), "index", Request::Open::file));
        CHECK(ask(ring, Request::sync(file.get())) == 0);
        Task<std::int64_t> syncing = result_of(ring, Request::sync(directory.get()));
        syncing.start(ignore_end, nullptr);
        CHECK_FALSE(ring.run_until_idle());
        REQUIRE(ring.drain_after_crash());
        ring.restart();
        CHECK(ring.files().read_file("/m/index") == "fresh");
    }
}

TEST_CASE("sim crash: connections are reset and locks are free afterwards") {
    SimRing ring({});
    ring.files().make_directory("/m");
    const int listener = ring.listen("192.0.2.25:110");
    Client accepted = ring.connect(listener);
    Client waiting = ring.connect(listener);
    SocketAddress peer;
    SocketAddress local;
    const Handle socket = ask_for_handle(ring, Request::accept(listener, peer, &local));
    const Handle directory = open_directory(ring, "/m");
    CHECK(ask(ring, Request::lock(directory.get())) == 0);
    ring.crash_after(1);
    Task<std::int64_t> syncing = result_of(ring, Request::sync(directory.get()));
    syncing.start(ignore_end, nullptr);
    CHECK_FALSE(ring.run_until_idle());
    REQUIRE(ring.drain_after_crash());
    ring.restart();
    CHECK(accepted.was_reset());
    CHECK(waiting.was_reset());
    CHECK_FALSE(ring.has_crashed());
    const Handle again = open_directory(ring, "/m");
    CHECK(ask(ring, Request::lock(again.get())) == 0);
}
