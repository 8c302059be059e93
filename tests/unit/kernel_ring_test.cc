// The rings of the real kernel, network and time: what sim_ring_test.cc asks of the simulator,
// asked of io_uring and epoll.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <list>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "net/listener.h"
#include "unit/ring_world.h"

namespace restante {

TEST_CASE_TEMPLATE("octets sent at one end of a connection are received at the other, then its end",
                   Kernel, OnUring, OnEpoll) {
    RingWorld<Kernel> world;
    std::vector<Fd> listeners = *make_listeners(*SocketAddress::parse("127.0.0.1:0"), 1);
    const SocketAddress address = local_address(listeners[0].get());
    const Fd client(::socket(AF_INET, SOCK_STREAM, 0));
    REQUIRE(::connect(client.get(), address.raw(), address.octets()) == 0);
    SocketAddress peer;
    SocketAddress local;
    const std::int64_t accepted = world.ask(Request::accept(listeners[0].get(), peer, &local));
    REQUIRE(accepted >= 0);
    const Handle server(world.ring(), static_cast<int>(accepted));
    CHECK(peer.text() == local_address(client.get()).text());
    CHECK(local.text() == address.text());
    REQUIRE(::send(client.get(), "NOOP\r\n", 6, 0) == 6);
    CHECK(world.ask(Request::receive(server.get())) == 6);
    CHECK(world.ask(Request::send(server.get(), std::string_view("+OK\r\n"), false)) == 5);
    char received[16];
    CHECK(::recv(client.get(), received, sizeof received, 0) == 5);
    ::shutdown(client.get(), SHUT_WR);
    CHECK(world.ask(Request::receive(server.get())) == 0);
}

TEST_CASE_TEMPLATE("a receive ends at its deadline, and not before", Kernel, OnUring, OnEpoll) {
    RingWorld<Kernel> world;
    const SocketPair pair(world.ring());
    const Instant deadline = world.ring().now() + std::chrono::milliseconds(30);
    CHECK(world.ask(Request::receive(pair.near.get()).until(deadline)) == -ETIMEDOUT);
    CHECK(world.ring().now() >= deadline);
}

TEST_CASE_TEMPLATE("a send that nobody reads ends at its deadline, whatever of it has left", Kernel,
                   OnUring, OnEpoll) {
    RingWorld<Kernel> world;
    const SocketPair pair(world.ring());
    const std::string large(16 << 20, 'x');
    const Instant deadline = world.ring().now() + std::chrono::milliseconds(30);
    CHECK(world.ask(Request::send(pair.near.get(), large, false).until(deadline)) == -ETIMEDOUT);
}

TEST_CASE_TEMPLATE("a send larger than every buffer is sent whole", Kernel, OnUring, OnEpoll) {
    RingWorld<Kernel> world;
    const SocketPair pair(world.ring());
    const std::string large(16 << 20, 'x');
    std::size_t got = 0;
    std::thread reader([&] {
        std::string piece(1 << 16, '\0');
        while (got < large.size())
            got += static_cast<std::size_t>(::read(pair.far.get(), piece.data(), piece.size()));
    });
    CHECK(world.ask(Request::send(pair.near.get(), large, false)) ==
          static_cast<std::int64_t>(large.size()));
    reader.join();
    CHECK(got == large.size());
}

TEST_CASE_TEMPLATE(
    "an exchange sends, then receives; it ends at its deadline in either half, and when the peer "
    "is gone",
    Kernel, OnUring, OnEpoll) {
    RingWorld<Kernel> world;
    SocketPair pair(world.ring());
    char received[16];
    const auto exchange = [&](std::string_view reply, Duration patience) {
        const Instant deadline = world.ring().now() + patience;
        return world.ask(Request::exchange(pair.near.get(), reply).until(deadline));
    };
    REQUIRE(::write(pair.far.get(), "STAT\r\n", 6) == 6);
    CHECK(exchange("+OK\r\n", std::chrono::seconds(10)) == 6);
    CHECK(::read(pair.far.get(), received, sizeof received) == 5);
    CHECK(exchange("+OK\r\n", std::chrono::milliseconds(20)) == -ETIMEDOUT);
    CHECK(exchange(std::string(16 << 20, 'x'), std::chrono::milliseconds(20)) == -ETIMEDOUT);
    pair.far.reset();
    CHECK(exchange("+OK\r\n", std::chrono::seconds(10)) == -EPIPE);
}

TEST_CASE_TEMPLATE("who sleeps shorter wakes first, whoever began", Kernel, OnUring, OnEpoll) {
    RingWorld<Kernel> world;
    const auto sleep = [&](Duration time) {
        return Request::sleep().until(world.ring().now() + time);
    };
    Operation longest(sleep(std::chrono::seconds(5)));
    world.start(longest);
    for (const int milliseconds : {60, 20, 40, 10}) {
        Operation longer(sleep(std::chrono::seconds(2)));
        world.start(longer);
        world.ring().wake();
        world.ring().turn();
        CHECK(world.ask(sleep(std::chrono::milliseconds(milliseconds))) == -ETIMEDOUT);
        REQUIRE(longer.in_flight);
        world.ring().cancel(longer);
        while (longer.in_flight) world.ring().turn();
    }
    REQUIRE(longest.in_flight);
    world.ring().cancel(longest);
    while (longest.in_flight) world.ring().turn();
}

TEST_CASE_TEMPLATE("what is cancelled completes with -ECANCELED; a sleep too", Kernel, OnUring,
                   OnEpoll) {
    RingWorld<Kernel> world;
    const SocketPair pair(world.ring());
    Operation receive(Request::receive(pair.near.get()));
    Operation sleep(Request::sleep().until(world.ring().now() + std::chrono::hours(1)));
    world.start(receive);
    world.start(sleep);
    world.ring().cancel(receive);
    world.ring().cancel(sleep);
    while (receive.in_flight || sleep.in_flight) world.ring().turn();
    CHECK(receive.result == -ECANCELED);
    CHECK(sleep.result == -ECANCELED);
}

TEST_CASE_TEMPLATE(
    "what is received lies in the ring's buffer until on_complete returns, then it is gone", Kernel,
    OnUring, OnEpoll) {
    RingWorld<Kernel> world;
    const SocketPair pair(world.ring());
    REQUIRE(::write(pair.far.get(), "PASS secret\r\n", 13) == 13);
    std::string seen;
    Operation receive(Request::receive(pair.near.get()));
    receive.context = &seen;
    receive.on_complete = [](Operation& operation) {
        const std::span<const char> octets = operation.received();
        static_cast<std::string*>(operation.context)->assign(octets.data(), octets.size());
    };
    world.ring().submit(receive);
    while (receive.in_flight) world.ring().turn();
    CHECK(seen == "PASS secret\r\n");
    const std::span<const char> left = receive.received();
    CHECK(std::string(left.data(), left.size()) == std::string(left.size(), '\0'));
}

TEST_CASE_TEMPLATE(
    "more connections receive at once than there are buffers: each gets its own octets", Kernel,
    OnUring, OnEpoll) {
    RingWorld<Kernel> world({.receive_buffers = 2});
    constexpr std::size_t connections = 100;
    struct Client {
        explicit Client(Ring& ring) : pair(ring) {}
        SocketPair pair;
        std::string seen;
        std::optional<Operation> receive;
    };
    std::list<Client> clients;
    std::size_t open = 0;
    for (std::size_t i = 0; i < connections; ++i) clients.emplace_back(world.ring());
    for (int round = 0; round < 3; ++round) {
        for (Client& client : clients) {
            client.receive.emplace(Request::receive(client.pair.near.get()));
            client.receive->context = &client.seen;
            client.receive->on_complete = [](Operation& operation) {
                const std::span<const char> octets = operation.received();
                static_cast<std::string*>(operation.context)->append(octets.data(), octets.size());
            };
            world.ring().submit(*client.receive);
        }
        world.ring().wake();
        world.ring().turn();  // all of them wait
        std::size_t number = 0;
        for (Client& client : clients) {
            const std::string text = std::to_string(number++) + "\r\n";
            REQUIRE(::write(client.pair.far.get(), text.data(), text.size()) > 0);
        }
        open = connections;
        while (open > 0) {
            world.ring().turn();
            open = 0;
            for (const Client& client : clients) open += client.receive->in_flight ? 1 : 0;
        }
        number = 0;
        for (Client& client : clients) {
            CHECK(std::exchange(client.seen, {}) == std::to_string(number++) + "\r\n");
        }
    }
}

TEST_CASE_TEMPLATE("an exchange whose receive finds no buffer does not send again", Kernel, OnUring,
                   OnEpoll) {
    RingWorld<Kernel> world({.receive_buffers = 2});
    std::list<SocketPair> pairs;
    std::list<Operation> exchanges;
    constexpr std::size_t connections = 100;
    for (std::size_t i = 0; i < connections; ++i) {
        const SocketPair& pair = pairs.emplace_back(world.ring());
        REQUIRE(::write(pair.far.get(), "NOOP\r\n", 6) == 6);
    }
    for (const SocketPair& pair : pairs) {
        world.start(exchanges.emplace_back(
            Request::exchange(pair.near.get(), std::string_view("+OK\r\n"))));
    }
    const auto is_open = [](const Operation& exchange) { return exchange.in_flight; };
    while (std::ranges::any_of(exchanges, is_open)) world.ring().turn();
    for (const Operation& exchange : exchanges) CHECK(exchange.result == 6);
    for (const SocketPair& pair : pairs) {
        char sent[16];
        CHECK(::recv(pair.far.get(), sent, sizeof sent, MSG_DONTWAIT) == 5);
    }
}

TEST_CASE_TEMPLATE("what came while nobody waited is received whole, then the stream's end", Kernel,
                   OnUring, OnEpoll) {
    RingWorld<Kernel> world;
    SocketPair pair(world.ring());
    REQUIRE(::write(pair.far.get(), "USER a\r\n", 8) == 8);
    CHECK(world.ask(Request::receive(pair.near.get())) == 8);
    constexpr std::size_t buffer = 2048;
    const std::string large(2 * buffer, 'x');
    REQUIRE(::write(pair.far.get(), large.data(), large.size()) == 2 * buffer);
    pair.far.reset();
    world.ring().wake();
    world.ring().turn();  // signs of it come, and nobody waits
    std::size_t got = 0;
    while (got < large.size()) {
        const std::int64_t octets = world.ask(Request::receive(pair.near.get()));
        REQUIRE(octets > 0);
        got += static_cast<std::size_t>(octets);
    }
    CHECK(world.ask(Request::receive(pair.near.get())) == 0);
    CHECK(world.ask(Request::receive(pair.near.get())) == 0);
}

TEST_CASE_TEMPLATE("an end that comes together with the last octets is not lost", Kernel, OnUring,
                   OnEpoll) {
    RingWorld<Kernel> world;
    SocketPair pair(world.ring());
    Operation receive(Request::receive(pair.near.get()));
    world.start(receive);
    world.ring().wake();
    world.ring().turn();
    REQUIRE(::write(pair.far.get(), "QUIT\r\n", 6) == 6);
    pair.far.reset();
    while (receive.in_flight) world.ring().turn();
    CHECK(receive.result == 6);
    CHECK(world.ask(Request::receive(pair.near.get())) == 0);
}

TEST_CASE_TEMPLATE("one socket is sent to and received from at once", Kernel, OnUring, OnEpoll) {
    RingWorld<Kernel> world;
    const SocketPair pair(world.ring());
    const std::string large(4 << 20, 'x');
    Operation receive(Request::receive(pair.near.get()));
    Operation send(Request::send(pair.near.get(), large, false));
    world.start(receive);
    world.start(send);
    world.ring().wake();
    world.ring().turn();
    REQUIRE(::write(pair.far.get(), "NOOP\r\n", 6) == 6);
    while (receive.in_flight) world.ring().turn();
    CHECK(receive.result == 6);
    CHECK(send.in_flight);
    std::thread reader([&] {
        std::string heard(large.size(), '\0');
        CHECK(::recv(pair.far.get(), heard.data(), heard.size(), MSG_WAITALL) == 4 << 20);
    });
    while (send.in_flight) world.ring().turn();
    reader.join();
    CHECK(send.result == 4 << 20);
}

TEST_CASE_TEMPLATE(
    "what came for a descriptor that is closed is not told to the next of its number", Kernel,
    OnUring, OnEpoll) {
    RingWorld<Kernel> world;
    struct Swap {
        RingWorld<Kernel>& world;
        SocketPair old;
        std::optional<SocketPair> fresh;
    };
    SocketPair first(world.ring());
    Swap swap{world, SocketPair(world.ring()), std::nullopt};
    const int number = swap.old.near.get();
    REQUIRE(::write(swap.old.far.get(), "x", 1) == 1);
    CHECK(world.ask(Request::receive(number)) == 1);  // known to the ring from here on
    Operation receive(Request::receive(first.near.get()));
    receive.context = &swap;
    receive.on_complete = [](Operation& operation) {
        auto& swapped = *static_cast<Swap*>(operation.context);
        swapped.old.far.reset();
        swapped.old.near.reset();
        swapped.fresh.emplace(swapped.world.ring());
    };
    world.ring().submit(receive);
    world.ring().wake();
    world.ring().turn();
    REQUIRE(::write(swap.old.far.get(), "for the old one", 15) == 15);
    REQUIRE(::write(first.far.get(), "NOOP\r\n", 6) == 6);
    while (receive.in_flight) world.ring().turn();
    REQUIRE(std::min(swap.fresh->near.get(), swap.fresh->far.get()) <= number);
    for (const int socket : {swap.fresh->near.get(), swap.fresh->far.get()}) {
        const Instant deadline = world.ring().now() + std::chrono::milliseconds(20);
        CHECK(world.ask(Request::receive(socket).until(deadline)) == -ETIMEDOUT);
    }
    REQUIRE(::write(swap.fresh->far.get(), "STAT\r\n", 6) == 6);
    CHECK(world.ask(Request::receive(swap.fresh->near.get())) == 6);
}

TEST_CASE_TEMPLATE("a connection that nobody accepts yet does not keep the ring awake, nor is lost",
                   Kernel, OnUring, OnEpoll) {
    RingWorld<Kernel> world;
    Handle listener(world.ring(),
                    (*make_listeners(*SocketAddress::parse("127.0.0.1:0"), 1))[0].release());
    const SocketAddress address = local_address(listener.get());
    SocketAddress peer;
    SocketAddress local;
    std::vector<Fd> clients;
    const auto accept = [&] {
        const Request request = Request::accept(listener.get(), peer, &local);
        const std::int64_t result =
            world.ask(request.until(world.ring().now() + std::chrono::seconds(10)));
        if (result >= 0) world.ring().close(static_cast<int>(result));
        return result;
    };
    for (int i = 0; i < 3; ++i) {
        clients.emplace_back(::socket(AF_INET, SOCK_STREAM, 0));
        REQUIRE(::connect(clients.back().get(), address.raw(), address.octets()) == 0);
    }
    CHECK(accept() >= 0);
    Operation rest(Request::sleep().until(world.ring().now() + std::chrono::milliseconds(100)));
    world.start(rest);
    int turns = 0;
    for (; rest.in_flight; ++turns) world.ring().turn();
    CHECK(turns < 50);
    CHECK(accept() >= 0);
    CHECK(accept() >= 0);
    const Request none = Request::accept(listener.get(), peer, &local);
    CHECK(world.ask(none.until(world.ring().now() + std::chrono::milliseconds(10))) == -ETIMEDOUT);
    Operation waiting(none);
    world.start(waiting);
    world.ring().cancel(waiting);
    while (waiting.in_flight) world.ring().turn();
    CHECK(waiting.result == -ECANCELED);
}

TEST_CASE_TEMPLATE("what is written to a pipe waits for its reader, until the deadline", Kernel,
                   OnUring, OnEpoll) {
    ::signal(SIGPIPE, SIG_IGN);  // as server/signals.cc does
    RingWorld<Kernel> world;
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    Fd out(ends[0]);
    const Handle in(world.ring(), ends[1]);
    const std::string large(1 << 20, 'x');
    const auto write = [&](Duration time) {
        return world.ask(Request::write(in.get(), large).until(world.ring().now() + time));
    };
    CHECK(write(std::chrono::milliseconds(30)) == -ETIMEDOUT);
    std::size_t heard = 0;
    std::thread reader([&] {
        std::string piece(1 << 16, '\0');
        while (heard < large.size())
            heard += static_cast<std::size_t>(::read(out.get(), piece.data(), piece.size()));
    });
    CHECK(write(std::chrono::seconds(20)) == 1 << 20);
    reader.join();
    out = Fd();
    CHECK(write(std::chrono::seconds(20)) == -EPIPE);
}

TEST_CASE_TEMPLATE("wake() ends a wait from another thread", Kernel, OnUring, OnEpoll) {
    RingWorld<Kernel> world;
    std::thread waker([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        world.ring().wake();
    });
    world.ring().turn();  // nothing else would end it
    waker.join();
}

}  // namespace restante
