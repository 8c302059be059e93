// The ring on the real kernel: what sim_ring_test.cc asks of the simulator, asked of io_uring.
#include "ring/uring_ring.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <latch>
#include <list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <utility>

#include "net/listener.h"
#include "ring/mapping.h"
#include "ring/task.h"

namespace restante {
namespace {

class Fixture {
public:
    explicit Fixture(UringOptions options = {}) {
        char name[] = "/tmp/restante-ring.XXXXXX";
        REQUIRE(::mkdtemp(name) != nullptr);
        folder_ = name;
        auto made = make_uring_ring(helpers_, options);
        REQUIRE(made.has_value());
        ring_ = std::move(*made);
        directory_ = Handle(*ring_, ::open(name, O_RDONLY | O_DIRECTORY));
    }
    ~Fixture() {
        directory_.reset();
        std::filesystem::remove_all(folder_);
    }

    Ring& ring() { return *ring_; }
    const std::filesystem::path& folder() const { return folder_; }
    int directory() const { return directory_.get(); }
    void write(const std::string& name, const std::string& content) {
        std::ofstream(folder_ / name, std::ios::binary) << content;
    }
    /// Submits it, inline answers aside, and turns the ring until it has completed.
    std::int64_t ask(const Request& request) {
        Operation operation(request);
        start(operation);
        while (operation.in_flight) ring_->turn();
        return operation.result;
    }
    void start(Operation& operation) {
        operation.on_complete = [](Operation&) {};
        ring_->submit(operation);
    }

private:
    HelperPool helpers_{default_helper_sizes()};
    std::filesystem::path folder_;
    std::unique_ptr<Ring> ring_;
    Handle directory_;
};

struct Pair {
    explicit Pair(Ring& ring) {
        int sockets[2];
        REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) == 0);
        near = Handle(ring, sockets[0]);
        far = Handle(ring, sockets[1]);
    }
    Handle near;
    Handle far;
};

}  // namespace

TEST_CASE("octets sent at one end of a connection are received at the other, then its end") {
    Fixture fixture;
    std::vector<Fd> listeners = *make_listeners(*SocketAddress::parse("127.0.0.1:0"), 1);
    const SocketAddress address = local_address(listeners[0].get());
    const Fd client(::socket(AF_INET, SOCK_STREAM, 0));
    REQUIRE(::connect(client.get(), address.raw(), address.octets()) == 0);
    SocketAddress peer;
    SocketAddress local;
    const std::int64_t accepted = fixture.ask(Request::accept(listeners[0].get(), peer, local));
    REQUIRE(accepted >= 0);
    const Handle server(fixture.ring(), static_cast<int>(accepted));
    CHECK(peer.text() == local_address(client.get()).text());
    CHECK(local.text() == address.text());
    REQUIRE(::send(client.get(), "NOOP\r\n", 6, 0) == 6);
    CHECK(fixture.ask(Request::receive(server.get())) == 6);
    CHECK(fixture.ask(Request::send(server.get(), std::string_view("+OK\r\n"), false)) == 5);
    char received[16];
    CHECK(::recv(client.get(), received, sizeof received, 0) == 5);
    ::shutdown(client.get(), SHUT_WR);
    CHECK(fixture.ask(Request::receive(server.get())) == 0);
}

TEST_CASE("a receive ends at its deadline, and not before") {
    Fixture fixture;
    const Pair pair(fixture.ring());
    const Instant deadline = fixture.ring().now() + std::chrono::milliseconds(30);
    CHECK(fixture.ask(Request::receive(pair.near.get()).until(deadline)) == -ETIMEDOUT);
    CHECK(fixture.ring().now() >= deadline);
}

TEST_CASE("a send that nobody reads ends at its deadline, whatever of it has left") {
    Fixture fixture;
    const Pair pair(fixture.ring());
    const std::string large(16 << 20, 'x');
    const Instant deadline = fixture.ring().now() + std::chrono::milliseconds(30);
    CHECK(fixture.ask(Request::send(pair.near.get(), large, false).until(deadline)) == -ETIMEDOUT);
}

TEST_CASE("a send larger than every buffer is sent whole") {
    Fixture fixture;
    const Pair pair(fixture.ring());
    const std::string large(16 << 20, 'x');
    std::size_t got = 0;
    std::thread reader([&] {
        std::string piece(1 << 16, '\0');
        while (got < large.size())
            got += static_cast<std::size_t>(::read(pair.far.get(), piece.data(), piece.size()));
    });
    CHECK(fixture.ask(Request::send(pair.near.get(), large, false)) ==
          static_cast<std::int64_t>(large.size()));
    reader.join();
    CHECK(got == large.size());
}

TEST_CASE(
    "an exchange sends, then receives; it ends at its deadline in either half, and when the peer "
    "is gone") {
    Fixture fixture;
    Pair pair(fixture.ring());
    char received[16];
    const auto exchange = [&](std::string_view reply, Duration patience) {
        const Instant deadline = fixture.ring().now() + patience;
        return fixture.ask(Request::exchange(pair.near.get(), reply).until(deadline));
    };
    REQUIRE(::write(pair.far.get(), "STAT\r\n", 6) == 6);
    CHECK(exchange("+OK\r\n", std::chrono::seconds(10)) == 6);
    CHECK(::read(pair.far.get(), received, sizeof received) == 5);
    CHECK(exchange("+OK\r\n", std::chrono::milliseconds(20)) == -ETIMEDOUT);
    CHECK(exchange(std::string(16 << 20, 'x'), std::chrono::milliseconds(20)) == -ETIMEDOUT);
    pair.far.reset();
    CHECK(exchange("+OK\r\n", std::chrono::seconds(10)) == -EPIPE);
}

TEST_CASE("what is cancelled completes with -ECANCELED; a sleep too") {
    Fixture fixture;
    const Pair pair(fixture.ring());
    Operation receive(Request::receive(pair.near.get()));
    Operation sleep(Request::sleep().until(fixture.ring().now() + std::chrono::hours(1)));
    fixture.start(receive);
    fixture.start(sleep);
    fixture.ring().cancel(receive);
    fixture.ring().cancel(sleep);
    while (receive.in_flight || sleep.in_flight) fixture.ring().turn();
    CHECK(receive.result == -ECANCELED);
    CHECK(sleep.result == -ECANCELED);
}

TEST_CASE("what is received lies in the ring's buffer until on_complete returns, then it is gone") {
    Fixture fixture;
    const Pair pair(fixture.ring());
    REQUIRE(::write(pair.far.get(), "PASS secret\r\n", 13) == 13);
    std::string seen;
    Operation receive(Request::receive(pair.near.get()));
    receive.context = &seen;
    receive.on_complete = [](Operation& operation) {
        const std::span<const char> octets = operation.received();
        static_cast<std::string*>(operation.context)->assign(octets.data(), octets.size());
    };
    fixture.ring().submit(receive);
    while (receive.in_flight) fixture.ring().turn();
    CHECK(seen == "PASS secret\r\n");
    const std::span<const char> left = receive.received();
    CHECK(std::string(left.data(), left.size()) == std::string(left.size(), '\0'));
}

TEST_CASE("more connections receive at once than there are buffers: each gets its own octets") {
    Fixture fixture({.receive_buffers = 2});
    constexpr std::size_t connections = 100;
    struct Client {
        explicit Client(Ring& ring) : pair(ring) {}
        Pair pair;
        std::string seen;
        std::optional<Operation> receive;
    };
    std::list<Client> clients;
    std::size_t open = 0;
    for (std::size_t i = 0; i < connections; ++i) clients.emplace_back(fixture.ring());
    for (int round = 0; round < 3; ++round) {
        for (Client& client : clients) {
            client.receive.emplace(Request::receive(client.pair.near.get()));
            client.receive->context = &client.seen;
            client.receive->on_complete = [](Operation& operation) {
                const std::span<const char> octets = operation.received();
                static_cast<std::string*>(operation.context)->append(octets.data(), octets.size());
            };
            fixture.ring().submit(*client.receive);
        }
        fixture.ring().wake();
        fixture.ring().turn();  // all of them wait
        std::size_t number = 0;
        for (Client& client : clients) {
            const std::string text = std::to_string(number++) + "\r\n";
            REQUIRE(::write(client.pair.far.get(), text.data(), text.size()) > 0);
        }
        open = connections;
        while (open > 0) {
            fixture.ring().turn();
            open = 0;
            for (const Client& client : clients) open += client.receive->in_flight ? 1 : 0;
        }
        number = 0;
        for (Client& client : clients) {
            CHECK(std::exchange(client.seen, {}) == std::to_string(number++) + "\r\n");
        }
    }
}

TEST_CASE("an exchange whose receive finds no buffer does not send again") {
    Fixture fixture({.receive_buffers = 2});
    std::list<Pair> pairs;
    std::list<Operation> exchanges;
    constexpr std::size_t connections = 100;
    for (std::size_t i = 0; i < connections; ++i) {
        const Pair& pair = pairs.emplace_back(fixture.ring());
        REQUIRE(::write(pair.far.get(), "NOOP\r\n", 6) == 6);
    }
    for (const Pair& pair : pairs) {
        fixture.start(exchanges.emplace_back(
            Request::exchange(pair.near.get(), std::string_view("+OK\r\n"))));
    }
    const auto is_open = [](const Operation& exchange) { return exchange.in_flight; };
    while (std::ranges::any_of(exchanges, is_open)) fixture.ring().turn();
    for (const Operation& exchange : exchanges) CHECK(exchange.result == 6);
    for (const Pair& pair : pairs) {
        char sent[16];
        CHECK(::recv(pair.far.get(), sent, sizeof sent, MSG_DONTWAIT) == 5);
    }
}

TEST_CASE("wake() ends a wait from another thread") {
    Fixture fixture;
    std::thread waker([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        fixture.ring().wake();
    });
    fixture.ring().turn();  // nothing else would end it
    waker.join();
}

TEST_CASE("files are opened beneath their folder only, never through links, regular ones only") {
    Fixture fixture;
    fixture.write("mail", "Subject: x\n\n");
    std::filesystem::create_symlink("mail", fixture.folder() / "link");
    std::filesystem::create_directory(fixture.folder() / "folder");
    REQUIRE(::mkfifo((fixture.folder() / "fifo").c_str(), 0600) == 0);
    const auto open = [&](const char* name, Request::Open what) {
        Operation attempted(Request::open(fixture.directory(), name, what));
        const bool answered = fixture.ring().attempt(attempted);
        const std::int64_t asked = fixture.ask(Request::open(fixture.directory(), name, what));
        if (answered) CHECK((attempted.result < 0 ? attempted.result == asked : asked >= 0));
        if (answered && attempted.result >= 0)
            fixture.ring().close(static_cast<int>(attempted.result));
        if (asked >= 0) fixture.ring().close(static_cast<int>(asked));
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

TEST_CASE("a file is read from any offset; only its end makes a read short") {
    Fixture fixture;
    fixture.write("mail", std::string(100'000, 'a') + "end");
    const Handle file(fixture.ring(), static_cast<int>(fixture.ask(Request::open(
                                          fixture.directory(), "mail", Request::Open::file))));
    std::string target(100'003, '\0');
    CHECK(fixture.ask(Request::read(file.get(), target, 0)) == 100'003);
    CHECK(target.ends_with("aend"));
    CHECK(fixture.ask(Request::read(file.get(), target, 100'000)) == 3);
    CHECK(fixture.ask(Request::read(file.get(), target, 100'003)) == 0);
    FileStatus status;
    CHECK(fixture.ask(Request::status(file.get(), status)) == 0);
    CHECK(status.octets == 100'003);
    CHECK(status.kind == FileKind::regular);
    FileStatus by_name;
    CHECK(fixture.ask(Request::status_at(fixture.directory(), "mail", by_name)) == 0);
    CHECK(by_name == status);
}

TEST_CASE("a folder's lock is one holder's, until its descriptor is closed") {
    Fixture fixture;
    Handle again(fixture.ring(), ::open(fixture.folder().c_str(), O_RDONLY | O_DIRECTORY));
    CHECK(fixture.ask(Request::lock(again.get())) == 0);
    CHECK(fixture.ask(Request::lock(fixture.directory())) == -EWOULDBLOCK);
    again.reset();
    CHECK(fixture.ask(Request::lock(fixture.directory())) == 0);
}

TEST_CASE("a removal takes the very file that was meant, or none") {
    Fixture fixture;
    fixture.write("one", "1");
    fixture.write("two", "2");
    FileStatus one;
    REQUIRE(fixture.ask(Request::status_at(fixture.directory(), "one", one)) == 0);
    std::vector<Removal> removals = {{fixture.directory(), "one", one.device, one.inode},
                                     {fixture.directory(), "two", one.device, one.inode},
                                     {fixture.directory(), "none", one.device, one.inode}};
    CHECK(fixture.ask(Request::remove(removals)) == 0);
    CHECK(removals[0].result == 0);
    CHECK(removals[1].result == -ESTALE);
    CHECK(removals[2].result == -ENOENT);
    CHECK_FALSE(std::filesystem::exists(fixture.folder() / "one"));
    CHECK(std::filesystem::exists(fixture.folder() / "two"));
    CHECK(fixture.ask(Request::sync(fixture.directory())) == 0);
}

TEST_CASE(
    "a replaced file is there whole, without a temporary one beside it; a listing has all names") {
    Fixture fixture;
    fixture.write("index.tmp", "of a crash");
    CHECK(fixture.ask(
              Request::replace_file(fixture.directory(), "index", std::string_view("first"))) == 0);
    CHECK(fixture.ask(Request::replace_file(fixture.directory(), "index",
                                            std::string_view("second"))) == 0);
    std::filesystem::create_symlink("index", fixture.folder() / "link");
    DirectoryListing listing;
    for (int round = 0; round < 2; ++round) {  // rewound each time
        CHECK(fixture.ask(Request::list_directory(fixture.directory(), listing)) == 0);
        REQUIRE(listing.entries().size() == 2);
    }
    for (const DirectoryListing::Entry& entry : listing.entries()) {
        const bool is_link = listing.name(entry) == "link";
        CHECK(entry.kind == (is_link ? FileKind::other : FileKind::regular));
    }
    std::string content;
    std::ifstream(fixture.folder() / "index") >> content;
    CHECK(content == "second");
}

TEST_CASE("a full queue of helpers refuses, and what was taken still completes") {
    struct Nap final : Work {
        void run() override { std::this_thread::sleep_for(std::chrono::milliseconds(20)); }
    } nap;
    HelperPool helpers({{{1, 1, 1}, {1, 1, 1}, {1, 1, 1}}});
    auto ring = make_uring_ring(helpers, {});
    REQUIRE(ring.has_value());
    std::list<Operation> operations;
    for (int i = 0; i < 8; ++i) {
        Operation& operation = operations.emplace_back(Request::offload(HelperKind::hashing, nap));
        operation.on_complete = [](Operation&) {};
        (*ring)->submit(operation);
    }
    int done = 0;
    int refused = 0;
    for (Operation& operation : operations) {
        while (operation.in_flight) (*ring)->turn();
        (operation.result == 0 ? done : refused) += 1;
        CHECK((operation.result == 0 || operation.result == -EAGAIN));
    }
    CHECK(done >= 1);
    CHECK(refused >= 1);
}

TEST_CASE("what lies on another mount than its folder is far: nothing of it is tried inline") {
    Fixture fixture;
    FileStatus status;
    const Handle root(fixture.ring(),
                      static_cast<int>(fixture.ask(Request::open_place(AT_FDCWD, "/", status))));
    CHECK(status.kind == FileKind::directory);
    const auto answers_inline = [&](const Request& request) {
        Operation attempted(request);
        const bool answered = fixture.ring().attempt(attempted);
        const bool opened = request.kind == Request::Kind::open && attempted.result >= 0;
        if (answered && opened) fixture.ring().close(static_cast<int>(attempted.result));
        return answered;
    };
    const Request open = Request::open(root.get(), "proc", Request::Open::directory);
    CHECK_FALSE(answers_inline(open));  // cached as it is, like every mount point
    const Handle proc(fixture.ring(), static_cast<int>(fixture.ask(open)));
    CHECK_FALSE(answers_inline(Request::status(proc.get(), status)));
    CHECK_FALSE(answers_inline(Request::open(proc.get(), "version", Request::Open::file)));
    Handle near(fixture.ring(),
                static_cast<int>(fixture.ask(
                    Request::open(AT_FDCWD, fixture.folder().c_str(), Request::Open::directory))));
    CHECK(answers_inline(Request::status(near.get(), status)));
    Handle file(
        fixture.ring(),
        static_cast<int>(fixture.ask(Request::open(proc.get(), "version", Request::Open::file))));
    const int closed = file.release();
    fixture.ring().close(closed);
    for (int turns = 0; ::fcntl(closed, F_GETFD) >= 0; ++turns) {
        REQUIRE(turns < 100);
        fixture.ask(Request::sleep().until(fixture.ring().now() + std::chrono::milliseconds(10)));
    }
}

TEST_CASE("a far file is neither mapped nor sent from memory: it has to be read") {
    Fixture fixture;
    constexpr std::uint64_t octets = 8192;
    fixture.write("mail", std::string(octets, 'a'));
    const std::string path = fixture.folder() / "mail";
    const Fd file(::open(path.c_str(), O_RDONLY));
    HelperPool helpers(default_helper_sizes());
    const auto far = make_uring_ring(helpers, {.storage_is_local = false});
    REQUIRE(far.has_value());
    const auto had_inline = [](Ring& ring, int from) {
        const Pair pair(ring);
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
    CHECK(had_inline(fixture.ring(), file.get()) == all);
    CHECK(had_inline(**far, file.get()) == nothing);
    Operation opened(Request::open(AT_FDCWD, path.c_str(), Request::Open::file));
    opened.on_complete = [](Operation&) {};
    (*far)->submit(opened);
    while (opened.in_flight) (*far)->turn();
    const Handle near(**far, static_cast<int>(opened.result));
    CHECK(had_inline(**far, near.get()) == all);
}

TEST_CASE("a helper more is there for each operation that finds none free, up to the limit") {
    struct Meeting final : Work {
        explicit Meeting(std::latch& all_here) : all(all_here) {}
        void run() override { all.arrive_and_wait(); }  // none returns before all have begun
        std::latch& all;
    };
    constexpr int threads_max = 8;
    std::latch all(threads_max);
    Meeting meeting(all);
    HelperPool helpers({{{1, threads_max, 64}, {1, 1, 1}, {1, 1, 1}}});
    auto ring = make_uring_ring(helpers, {});
    REQUIRE(ring.has_value());
    std::list<Operation> operations;
    for (int i = 0; i < threads_max; ++i) {
        Operation& operation =
            operations.emplace_back(Request::offload(HelperKind::files, meeting));
        operation.on_complete = [](Operation&) {};
        (*ring)->submit(operation);
    }
    for (Operation& operation : operations) {
        while (operation.in_flight) (*ring)->turn();
        CHECK(operation.result == 0);
    }
}

}  // namespace restante
