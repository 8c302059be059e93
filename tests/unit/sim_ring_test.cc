// The simulator itself: network, clock, and the ring over them.

#include "sim/sim_ring.h"

#include <doctest/doctest.h>
#include <fcntl.h>

#include <array>
#include <cerrno>
#include <deque>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "ring/task.h"
#include "sim/sim_await.h"

using namespace restante;
using namespace restante::sim;

namespace {

constexpr std::string_view address = "192.0.2.25:110";

/// A server that sends everything back, on one socket.
Task<void> echo(Ring& ring, int socket, Duration patience) {
    const Handle owner(ring, socket);
    for (;;) {
        const Instant limit = ring.now() + patience;
        const Received got = co_await perform_receive(ring, Request::receive(socket).until(limit));
        if (got.result <= 0) break;
        const std::string octets(got.first, got.octets().size());
        const std::int64_t sent =
            co_await perform(ring, Request::send(socket, octets, false).until(limit));
        if (sent < 0) break;
    }
    co_await perform(ring, Request::shutdown(socket));
}

Task<std::string> receive_text(Ring& ring, int socket) {
    const Received got = co_await perform_receive(ring, Request::receive(socket));
    co_return std::string(got.first, got.octets().size());
}

/// The accept loop above it, with all that it has accepted.
class EchoServer {
public:
    explicit EchoServer(SimRing& ring, Duration patience = std::chrono::minutes(10))
        : ring_(ring), patience_(patience), listener_(ring.listen(address)), loop_(accept_all()) {
        loop_.start(ignore_end, nullptr);
    }
    ~EchoServer() {
        stop();
        ring_.run_until_idle();
        if (!loop_.is_done()) std::abort();
        ring_.close(listener_);
    }
    void stop() {
        if (accepting_ != nullptr) ring_.cancel(*accepting_);
    }
    int listener() const { return listener_; }
    std::size_t accepted() const { return sessions_.size(); }
    const std::vector<std::string>& peers() const { return peers_; }

private:
    Task<void> accept_all() {
        for (;;) {
            SocketAddress peer;
            SocketAddress local;
            const std::int64_t socket =
                co_await perform(ring_, Request::accept(listener_, peer, &local), accepting_);
            if (socket < 0) co_return;
            peers_.push_back(peer.text() + " to " + local.text());
            sessions_.push_back(
                std::make_unique<Task<void>>(echo(ring_, static_cast<int>(socket), patience_)));
            sessions_.back()->start(ignore_end, nullptr);
        }
    }

    SimRing& ring_;
    const Duration patience_;
    const int listener_;
    Operation* accepting_ = nullptr;
    std::vector<std::string> peers_;
    std::vector<std::unique_ptr<Task<void>>> sessions_;
    Task<void> loop_;
};

std::string numbered_lines(int count) {
    std::string text;
    for (int i = 0; i < count; ++i) text += "line " + std::to_string(i) + "\r\n";
    return text;
}

/// Four clients talk to an echo server; what happened, as a number.
std::uint64_t trace_of_echo(const SimOptions& options) {
    SimRing ring(options);
    EchoServer server(ring);
    std::vector<Client> clients;
    for (int i = 0; i < 4; ++i) clients.push_back(ring.connect(server.listener()));
    for (Client& client : clients) client.send(numbered_lines(20));
    REQUIRE(ring.settle());
    for (Client& client : clients) client.close();
    REQUIRE(ring.settle());
    return ring.trace_hash();
}

}  // namespace

TEST_CASE(
    "sim network: an echo server gives back every octet in order, under any splits and any order") {
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
        SimOptions options{.seed = seed};
        options.octet_by_octet = seed % 4 == 0;
        options.short_reads = seed % 4 != 1;
        options.shuffle = seed % 3 != 0;
        options.inline_answers = static_cast<InlineAnswers>(seed % 3);
        SimRing ring(options);
        EchoServer server(ring);
        Client first = ring.connect(server.listener(), "198.51.100.7:40000");
        Client second = ring.connect(server.listener(), "[2001:db8::7]:40001");
        first.send(numbered_lines(100));
        second.send("RSET\r\n");
        second.finish();
        INFO("seed ", seed);
        REQUIRE(ring.settle());
        CHECK(first.received() == numbered_lines(100));
        CHECK_FALSE(first.has_server_closed());
        CHECK(second.received() == "RSET\r\n");
        CHECK(second.has_server_closed());
        CHECK_FALSE(second.was_reset());
        CHECK(server.peers() == std::vector<std::string>{"198.51.100.7:40000 to 192.0.2.25:110",
                                                         "[2001:db8::7]:40001 to 192.0.2.25:110"});
        first.close();
    }
}

TEST_CASE("sim network: more than the window holds arrives in the end") {
    SimRing ring({.window_octets = 100});
    EchoServer server(ring);
    Client client = ring.connect(server.listener());
    client.send(numbered_lines(1000));
    CHECK(client.unsent_octets() == numbered_lines(1000).size() - 100);
    REQUIRE(ring.settle());
    CHECK(client.received() == numbered_lines(1000));
    CHECK(client.unsent_octets() == 0);
    client.close();
}

TEST_CASE("sim network: octet_by_octet receives one octet at a time") {
    SimRing ring({.octet_by_octet = true});
    const int listener = ring.listen(address);
    Client client = ring.connect(listener);
    SocketAddress peer;
    SocketAddress local;
    Handle socket = ask_for_handle(ring, Request::accept(listener, peer, &local));
    client.send("+OK");
    CHECK(finish(ring, receive_text(ring, socket.get())) == "+");
    CHECK(finish(ring, receive_text(ring, socket.get())) == "O");
    ring.close(listener);
}

TEST_CASE("sim network: a client that does not read blocks a send until its deadline") {
    SimRing ring({.window_octets = 1000});
    EchoServer server(ring, std::chrono::minutes(2));
    Client client = ring.connect(server.listener());
    client.stop_reading();
    client.send(std::string(5000, 'x'));
    const Instant start = ring.now();
    REQUIRE(ring.settle());
    CHECK(client.unsent_octets() > 0);  // the server, blocked in its send, does not read either
    CHECK_FALSE(client.has_server_closed());
    REQUIRE(ring.run_until_idle());
    CHECK(ring.now() == start + std::chrono::minutes(2));
    CHECK(client.was_reset());
    CHECK(ring.open_descriptor_count() == 1);
}

TEST_CASE("sim network: close with octets unread is a reset, without is an ordinary end") {
    for (const bool unread : {false, true}) {
        SimRing ring({.short_reads = false});
        const int listener = ring.listen(address);
        Client client = ring.connect(listener);
        SocketAddress peer;
        SocketAddress local;
        const std::int64_t socket = ask(ring, Request::accept(listener, peer, &local));
        if (unread) client.send("NOOP\r\n");
        ring.close(static_cast<int>(socket));
        CHECK(client.has_server_closed());
        CHECK(client.was_reset() == unread);
        ring.close(listener);
    }
}

TEST_CASE(
    "sim network: what a client sent before it closed arrives, then the end; a reply is a reset") {
    SimRing ring({.short_reads = false});
    const int listener = ring.listen(address);
    Client client = ring.connect(listener);
    SocketAddress peer;
    SocketAddress local;
    Handle socket = ask_for_handle(ring, Request::accept(listener, peer, &local));
    client.send("QUIT\r\n");
    client.close();
    CHECK(ask(ring, Request::receive(socket.get())) == 6);
    CHECK(ask(ring, Request::receive(socket.get())) == 0);
    CHECK(ask(ring, Request::send(socket.get(), std::string_view("+OK\r\n"), false)) == 5);
    CHECK(ask(ring, Request::send(socket.get(), std::string_view("+OK\r\n"), false)) ==
          -ECONNRESET);
    CHECK(ask(ring, Request::receive(socket.get())) == -ECONNRESET);
    CHECK(client.received().empty());
    ring.close(listener);
}

TEST_CASE("sim network: shutdown ends what is sent, not what is received") {
    SimRing ring({.short_reads = false});
    const int listener = ring.listen(address);
    Client client = ring.connect(listener);
    SocketAddress peer;
    SocketAddress local;
    Handle socket = ask_for_handle(ring, Request::accept(listener, peer, &local));
    CHECK(ask(ring, Request::shutdown(socket.get())) == 0);
    CHECK(client.has_server_closed());
    client.send("late");
    CHECK(ask(ring, Request::receive(socket.get())) == 4);
    CHECK(ask(ring, Request::send(socket.get(), std::string_view("+OK"), false)) == -EPIPE);
    socket.reset();
    ring.close(listener);
    CHECK(ring.open_descriptor_count() == 0);
    CHECK(ring.connect(listener).was_reset());
}

TEST_CASE("sim network: resets come with the probability asked for") {
    int resets = 0;
    for (std::uint64_t seed = 1; seed <= 100; ++seed) {
        SimRing ring({.seed = seed, .reset_probability = 0.1});
        EchoServer server(ring);
        Client client = ring.connect(server.listener());
        client.send("one\r\n");
        REQUIRE(ring.settle());
        resets += client.was_reset() ? 1 : 0;
        client.close();
    }
    CHECK(resets > 5);
    CHECK(resets < 80);
}

TEST_CASE("sim clock: it stands still while anything is ready, then jumps to the next deadline") {
    SimRing ring({});
    const Instant start = ring.now();
    const WallTime wall_start = ring.wall_time();
    Task<std::int64_t> late =
        result_of(ring, Request::sleep().until(start + std::chrono::hours(2)));
    Task<std::int64_t> soon =
        result_of(ring, Request::sleep().until(start + std::chrono::seconds(3)));
    late.start(ignore_end, nullptr);
    soon.start(ignore_end, nullptr);
    CHECK_FALSE(ring.is_idle());
    REQUIRE(ring.settle());
    CHECK(ring.now() == start);
    ring.turn();
    CHECK(soon.is_done());
    CHECK_FALSE(late.is_done());
    CHECK(ring.now() == start + std::chrono::seconds(3));
    CHECK(ring.run_for(std::chrono::hours(1)));
    CHECK_FALSE(late.is_done());
    CHECK(ring.now() == start + std::chrono::hours(1) + std::chrono::seconds(3));
    REQUIRE(ring.run_until_idle());
    CHECK(late.take() == -ETIMEDOUT);
    CHECK(ring.wall_time().nanoseconds - wall_start.nanoseconds ==
          Duration(std::chrono::hours(2)).count());
    CHECK(ring.is_idle());
}

TEST_CASE("sim ring: cancelled network operations complete with -ECANCELED, in a later turn") {
    SimRing ring({});
    const int listener = ring.listen(address);
    SocketAddress peer;
    SocketAddress local;
    struct Count {
        static void add(Operation& operation) { ++*static_cast<int*>(operation.context); }
    };
    int completions = 0;
    std::deque<Operation> operations;
    operations.emplace_back(Request::accept(listener, peer, &local));
    operations.emplace_back(Request::sleep());
    for (Operation& operation : operations) {
        operation.on_complete = Count::add;
        operation.context = &completions;
        ring.submit(operation);
        ring.cancel(operation);
    }
    CHECK(completions == 0);
    CHECK(ring.operations_in_flight() == 2);
    REQUIRE(ring.settle());
    CHECK(completions == 2);
    for (const Operation& operation : operations) CHECK(operation.result == -ECANCELED);
    ring.close(listener);
}

TEST_CASE("sim ring: wake ends one wait without time passing") {
    SimRing ring({});
    const Instant start = ring.now();
    Task<std::int64_t> sleep =
        result_of(ring, Request::sleep().until(start + std::chrono::seconds(1)));
    sleep.start(ignore_end, nullptr);
    ring.wake();
    ring.turn();
    CHECK(ring.now() == start);
    ring.turn();
    CHECK(sleep.is_done());
}

TEST_CASE("sim ring: inline answers as asked for, and helper work never inline") {
    struct Mark final : Work {
        void run() override { ran = true; }
        bool ran = false;
    };
    for (const InlineAnswers inline_answers : {InlineAnswers::always, InlineAnswers::never}) {
        SimRing ring({.inline_answers = inline_answers});
        ring.files().make_directory("/var/vmail");
        FileStatus status;
        Operation look(Request::status_at(AT_FDCWD, "/var/vmail", status));
        CHECK(ring.attempt(look) == (inline_answers == InlineAnswers::always));
        Mark mark;
        Operation offload(Request::offload(HelperKind::hashing, mark));
        CHECK_FALSE(ring.attempt(offload));
        CHECK_FALSE(mark.ran);
        CHECK(ask(ring, Request::offload(HelperKind::hashing, mark)) == 0);
        CHECK(mark.ran);
    }
    SimRing full({.queue_full_probability = 1});
    Mark mark;
    CHECK(ask(full, Request::offload(HelperKind::hashing, mark)) == -EAGAIN);
    CHECK_FALSE(mark.ran);
}

TEST_CASE("sim ring: what is ready completes in any order; unshuffled, as it was submitted") {
    struct Mark final : Work {
        void run() override { order->push_back(name); }
        std::string* order = nullptr;
        char name = 0;
    };
    const auto order_of = [](const SimOptions& options) {
        SimRing ring(options);
        std::string order;
        std::array<Mark, 4> marks;
        std::deque<Task<std::int64_t>> tasks;
        for (Mark& mark : marks) {
            mark.order = &order;
            mark.name = static_cast<char>('a' + (&mark - marks.data()));
            tasks.push_back(result_of(ring, Request::offload(HelperKind::files, mark)));
            tasks.back().start(ignore_end, nullptr);
        }
        REQUIRE(ring.settle());
        return order;
    };
    std::set<std::string> orders;
    for (std::uint64_t seed = 1; seed <= 500; ++seed) orders.insert(order_of({.seed = seed}));
    CHECK(orders.size() == 24);
    CHECK(order_of({.shuffle = false}) == "abcd");
}

TEST_CASE("sim ring: the same seed gives the same run, another seed another") {
    std::set<std::uint64_t> traces;
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        const std::uint64_t trace = trace_of_echo({.seed = seed});
        CHECK(trace == trace_of_echo({.seed = seed}));
        traces.insert(trace);
    }
    CHECK(traces.size() == 20);
}

TEST_CASE("sim ring: planned faults hit the operations they were planned for") {
    SimRing ring({});
    ring.files().make_directory("/var/vmail");
    ring.plan_fault({.kind = Request::Kind::open, .error = -EMFILE, .count = 2, .skip = 1});
    const Request open = Request::open(AT_FDCWD, "/var/vmail", Request::Open::directory);
    std::vector<std::int64_t> results;
    for (int i = 0; i < 4; ++i) results.push_back(ask(ring, open));
    CHECK(results[0] >= 1000);
    CHECK(results[1] == -EMFILE);
    CHECK(results[2] == -EMFILE);
    CHECK(results[3] >= 1000);
    CHECK(ring.open_descriptor_count() == 2);
}

TEST_CASE("sim ring: descriptors are bounded, and write collects") {
    SimRing ring({.descriptors_max = 2});
    ring.files().make_directory("/var/vmail");
    const int log = ring.open_sink();
    CHECK(ask(ring, Request::write(log, std::string_view("one\n"))) == 4);
    CHECK(ask(ring, Request::write(log, std::string_view("two\n"))) == 4);
    CHECK(ring.written(log) == "one\ntwo\n");
    const Request open = Request::open(AT_FDCWD, "/var/vmail", Request::Open::directory);
    CHECK(ask(ring, open) >= 1000);
    CHECK(ask(ring, open) == -EMFILE);
}
