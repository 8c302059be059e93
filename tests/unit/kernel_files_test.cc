// The rings of the real kernel, files and helpers: io_uring and epoll.

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <latch>
#include <list>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "ring/mapping.h"
#include "unit/ring_world.h"

namespace restante {

TEST_CASE_TEMPLATE(
    "files are opened beneath their folder only, never through links, regular ones only", Kernel,
    OnUring, OnEpoll) {
    RingWorld<Kernel> world;
    world.write("mail", "Subject: x\n\n");
    std::filesystem::create_symlink("mail", world.folder() / "link");
    std::filesystem::create_directory(world.folder() / "folder");
    REQUIRE(::mkfifo((world.folder() / "fifo").c_str(), 0600) == 0);
    const auto open = [&](const char* name, Request::Open what) {
        Operation attempted(Request::open(world.directory(), name, what));
        const bool answered = world.ring().attempt(attempted);
        const std::int64_t asked = world.ask(Request::open(world.directory(), name, what));
        if (answered) CHECK((attempted.result < 0 ? attempted.result == asked : asked >= 0));
        if (answered && attempted.result >= 0)
            world.ring().close(static_cast<int>(attempted.result));
        if (asked >= 0) world.ring().close(static_cast<int>(asked));
        return asked;
    };
    CHECK(open("mail", Request::Open::file) >= 0);
    CHECK(open("folder", Request::Open::directory) >= 0);
    CHECK(open("none", Request::Open::file) == -ENOENT);
    CHECK(open("link", Request::Open::file) == -ELOOP);
    CHECK(open("fifo", Request::Open::file) == -EINVAL);
    CHECK(open("folder", Request::Open::file) == -EINVAL);
    CHECK(open("mail", Request::Open::directory) == -ENOTDIR);
    CHECK(open("../etc/passwd", Request::Open::file) == -EXDEV);
    CHECK(open("/etc/passwd", Request::Open::file) == -EXDEV);
}

TEST_CASE_TEMPLATE("a file is read from any offset; only its end makes a read short", Kernel,
                   OnUring, OnEpoll) {
    RingWorld<Kernel> world;
    world.write("mail", std::string(100'000, 'a') + "end");
    const Handle file(
        world.ring(),
        static_cast<int>(world.ask(Request::open(world.directory(), "mail", Request::Open::file))));
    std::string target(100'003, '\0');
    CHECK(world.ask(Request::read(file.get(), target, 0)) == 100'003);
    CHECK(target.ends_with("aend"));
    CHECK(world.ask(Request::read(file.get(), target, 100'000)) == 3);
    CHECK(world.ask(Request::read(file.get(), target, 100'003)) == 0);
    FileStatus status;
    CHECK(world.ask(Request::status(file.get(), status)) == 0);
    CHECK(status.octets == 100'003);
    CHECK(status.kind == FileKind::regular);
    FileStatus by_name;
    CHECK(world.ask(Request::status_at(world.directory(), "mail", by_name)) == 0);
    CHECK(by_name == status);
}

TEST_CASE_TEMPLATE("two folders are told of at once, or neither", Kernel, OnUring, OnEpoll) {
    RingWorld<Kernel> world;
    const auto make = [&world](const char* name) {
        std::filesystem::create_directory(world.folder() / name);
    };
    make("new");
    FileStatus both[2];
    const Request asked = Request::status_of_two(world.directory(), "new", "cur", both);
    CHECK(world.ask(asked) == -ENOENT);
    std::filesystem::create_directory_symlink("new", world.folder() / "cur");
    const std::int64_t linked = world.ask(asked);
    const bool is_link_told = linked == 0 && both[1].kind == FileKind::other;
    CHECK((linked < 0 || is_link_told));
    std::filesystem::remove(world.folder() / "cur");
    make("cur");
    FileStatus fresh;
    FileStatus current;
    REQUIRE(world.ask(Request::status_at(world.directory(), "new", fresh)) == 0);
    REQUIRE(world.ask(Request::status_at(world.directory(), "cur", current)) == 0);
    CHECK(current.kind == FileKind::directory);
    REQUIRE(world.ask(asked) == 0);
    CHECK(both[0] == fresh);
    CHECK(both[1] == current);
    Operation attempted(asked);
    both[0] = both[1] = {};
    // A renaming anywhere on the machine makes the kernel look twice, which it does not do inline.
    int tries = 1'000;
    while (!world.ring().attempt(attempted) && --tries > 0) {
    }
    REQUIRE(tries > 0);
    CHECK(attempted.result == 0);
    CHECK(both[0] == fresh);
    CHECK(both[1] == current);
}

TEST_CASE_TEMPLATE("a folder's lock is one holder's, until its descriptor is closed", Kernel,
                   OnUring, OnEpoll) {
    RingWorld<Kernel> world;
    Handle again(world.ring(), ::open(world.folder().c_str(), O_RDONLY | O_DIRECTORY));
    CHECK(world.ask(Request::lock(again.get())) == 0);
    CHECK(world.ask(Request::lock(world.directory())) == -EWOULDBLOCK);
    again.reset();
    CHECK(world.ask(Request::lock(world.directory())) == 0);
}

TEST_CASE_TEMPLATE("a removal takes the very file that was meant, or none", Kernel, OnUring,
                   OnEpoll) {
    RingWorld<Kernel> world;
    world.write("one", "1");
    world.write("two", "2");
    FileStatus one;
    REQUIRE(world.ask(Request::status_at(world.directory(), "one", one)) == 0);
    std::vector<Removal> removals = {{world.directory(), "one", one.device, one.inode},
                                     {world.directory(), "two", one.device, one.inode},
                                     {world.directory(), "none", one.device, one.inode}};
    CHECK(world.ask(Request::remove(removals)) == 0);
    CHECK(removals[0].result == 0);
    CHECK(removals[1].result == -ESTALE);
    CHECK(removals[2].result == -ENOENT);
    CHECK_FALSE(std::filesystem::exists(world.folder() / "one"));
    CHECK(std::filesystem::exists(world.folder() / "two"));
    CHECK(world.ask(Request::sync(world.directory())) == 0);
}

TEST_CASE_TEMPLATE(
    "a replaced file is there whole, without a temporary one beside it; a listing has all names",
    Kernel, OnUring, OnEpoll) {
    RingWorld<Kernel> world;
    world.write("index.tmp", "of a crash");
    CHECK(world.ask(Request::replace_file(world.directory(), "index", std::string_view("first"))) ==
          0);
    CHECK(world.ask(
              Request::replace_file(world.directory(), "index", std::string_view("second"))) == 0);
    std::filesystem::create_symlink("index", world.folder() / "link");
    DirectoryListing listing;
    for (int round = 0; round < 2; ++round) {  // rewound each time
        CHECK(world.ask(Request::list_directory(world.directory(), listing)) == 0);
        REQUIRE(listing.entries().size() == 2);
    }
    for (const DirectoryListing::Entry& entry : listing.entries()) {
        const bool is_link = entry.name == "link";
        CHECK(entry.kind == (is_link ? FileKind::other : FileKind::regular));
    }
    std::string content;
    std::ifstream(world.folder() / "index") >> content;
    CHECK(content == "second");
}

TEST_CASE_TEMPLATE("a full queue of helpers refuses, and what was taken still completes", Kernel,
                   OnUring, OnEpoll) {
    struct Nap final : Work {
        void run() override { std::this_thread::sleep_for(std::chrono::milliseconds(20)); }
    } nap;
    HelperPool helpers({{{1, 1, 1}, {1, 1, 1}, {1, 1, 1}}});
    const std::unique_ptr<Ring> ring = Kernel::make(helpers);
    std::list<Operation> operations;
    for (int i = 0; i < 8; ++i) {
        Operation& operation = operations.emplace_back(Request::offload(HelperKind::hashing, nap));
        operation.on_complete = [](Operation&) {};
        ring->submit(operation);
    }
    int done = 0;
    int refused = 0;
    for (Operation& operation : operations) {
        while (operation.in_flight) ring->turn();
        (operation.result == 0 ? done : refused) += 1;
        CHECK((operation.result == 0 || operation.result == -EAGAIN));
    }
    CHECK(done >= 1);
    CHECK(refused >= 1);
}

TEST_CASE_TEMPLATE(
    "what lies on another mount than its folder is far: nothing of it is tried inline", Kernel,
    OnUring, OnEpoll) {
    RingWorld<Kernel> world;
    FileStatus status;
    const Handle root(world.ring(),
                      static_cast<int>(world.ask(Request::open_place(AT_FDCWD, "/", status))));
    CHECK(status.kind == FileKind::directory);
    const auto answers_inline = [&](const Request& request) {
        Operation attempted(request);
        const bool answered = world.ring().attempt(attempted);
        const bool opened = request.kind == Request::Kind::open && attempted.result >= 0;
        if (answered && opened) world.ring().close(static_cast<int>(attempted.result));
        return answered;
    };
    const Request open = Request::open(root.get(), "proc", Request::Open::directory);
    CHECK_FALSE(answers_inline(open));  // cached as it is, like every mount point
    const Handle proc(world.ring(), static_cast<int>(world.ask(open)));
    CHECK_FALSE(answers_inline(Request::status(proc.get(), status)));
    CHECK_FALSE(answers_inline(Request::open(proc.get(), "version", Request::Open::file)));
    Handle near(world.ring(), static_cast<int>(world.ask(Request::open(
                                  AT_FDCWD, world.folder().c_str(), Request::Open::directory))));
    CHECK(answers_inline(Request::status(near.get(), status)));
    Handle file(
        world.ring(),
        static_cast<int>(world.ask(Request::open(proc.get(), "version", Request::Open::file))));
    const int closed = file.release();
    world.ring().close(closed);
    for (int turns = 0; ::fcntl(closed, F_GETFD) >= 0; ++turns) {
        REQUIRE(turns < 6000);
        world.ask(Request::sleep().until(world.ring().now() + std::chrono::milliseconds(10)));
    }
}

TEST_CASE_TEMPLATE("a far file is neither mapped nor sent from memory: it has to be read", Kernel,
                   OnUring, OnEpoll) {
    RingWorld<Kernel> world;
    constexpr std::uint64_t octets = 8192;
    world.write("mail", std::string(octets, 'a'));
    const std::string path = world.folder() / "mail";
    const Fd file(::open(path.c_str(), O_RDONLY));
    HelperPool helpers(default_helper_sizes());
    const std::unique_ptr<Ring> far = Kernel::make(helpers, {.storage_is_local = false});
    const auto had_inline = [](Ring& ring, int from) {
        const SocketPair pair(ring);
        const FilePart part{from, 0, octets};
        Mapping mapping;
        Operation mapped(Request::map(part, mapping));
        CHECK(ring.attempt(mapped));
        Operation sent(Request::send_file(pair.near.get(), part, FileSending::sendfile, false));
        CHECK(ring.attempt(sent));
        return std::pair(mapped.result, sent.result);
    };
    const std::pair<std::int64_t, std::int64_t> all(octets, octets);
    const std::pair<std::int64_t, std::int64_t> nothing(0, 0);
    CHECK(had_inline(world.ring(), file.get()) == all);
    CHECK(had_inline(*far, file.get()) == nothing);
    Operation opened(Request::open(AT_FDCWD, path.c_str(), Request::Open::file));
    opened.on_complete = [](Operation&) {};
    far->submit(opened);
    while (opened.in_flight) far->turn();
    const Handle near(*far, static_cast<int>(opened.result));
    CHECK(had_inline(*far, near.get()) == all);
}

TEST_CASE_TEMPLATE(
    "a helper more is there for each operation that finds none free, up to the limit", Kernel,
    OnUring, OnEpoll) {
    struct Meeting final : Work {
        explicit Meeting(std::latch& all_here) : all(all_here) {}
        void run() override { all.arrive_and_wait(); }  // none returns before all have begun
        std::latch& all;
    };
    constexpr int threads_max = 8;
    std::latch all(threads_max);
    Meeting meeting(all);
    HelperPool helpers({{{1, threads_max, 64}, {1, 1, 1}, {1, 1, 1}}});
    const std::unique_ptr<Ring> ring = Kernel::make(helpers);
    std::list<Operation> operations;
    for (int i = 0; i < threads_max; ++i) {
        Operation& operation =
            operations.emplace_back(Request::offload(HelperKind::files, meeting));
        operation.on_complete = [](Operation&) {};
        ring->submit(operation);
    }
    for (Operation& operation : operations) {
        while (operation.in_flight) ring->turn();
        CHECK(operation.result == 0);
    }
}

}  // namespace restante
