#include <doctest/doctest.h>
#include <malloc.h>

#include <memory>
#include <string>
#include <vector>

#include "unit/tls_world.h"

namespace restante {
namespace {

using Client = sim::TlsClientSettings;

const std::shared_ptr<const TlsContext>& context() {
    static const TlsWorld world;
    static const std::shared_ptr<const TlsContext> only = context_of(world.settings());
    return only;
}

/// Octets that malloc() has given out: 0 where it is not the C library's (sanitizers).
std::size_t octets_in_use() { return ::mallinfo2().uordblks; }

enum class Abort : std::uint8_t { before_hello, in_hello, after_hello, in_finished, established };
constexpr int aborts = 5;

/// A client that hangs up at `when`.
void talk_until(Abort when, int version) {
    TlsTalk talk(context(), {.min_version = version, .max_version = version});
    if (when == Abort::before_hello) {
        talk.server.feed_end();
        talk.serve();
        CHECK(talk.status == TlsStatus::truncated);
        return;
    }
    talk.client.handshake();
    const std::string hello = talk.client.take_outgoing();
    talk.carry_to_server(when == Abort::in_hello ? hello.substr(0, hello.size() / 2) : hello);
    if (when == Abort::in_finished) {
        talk.carry_to_client();
        talk.client.handshake();
        const std::string flight = talk.client.take_outgoing();
        talk.carry_to_server(flight.substr(0, flight.size() - 1));
    }
    if (when == Abort::established) CHECK(talk.shake());
    talk.server.feed_end();
    talk.serve();
    CHECK(talk.status == TlsStatus::truncated);
}

void talk_of_round(int round) {
    talk_until(static_cast<Abort>(round % aborts),
               round % 2 == 0 ? TLS1_2_VERSION : TLS1_3_VERSION);
}

}  // namespace

TEST_CASE("handshakes aborted at each flight leave nothing behind") {
    for (int round = 0; round < 50; ++round) talk_of_round(round);
    const std::size_t before = octets_in_use();
    for (int round = 0; round < 1'000; ++round) talk_of_round(round);
    // The C library keeps a few freed blocks of each size, which count as in use: 144,208 octets
    // after 3,000 rounds, and after 8,000.
    CHECK(octets_in_use() <= before + 200'000);
}

TEST_CASE("a connection that has sent nothing costs next to nothing") {
    std::vector<std::unique_ptr<TlsEngine>> engines(1'000);
    const std::size_t before = octets_in_use();
    for (auto& engine : engines) {
        engine = std::make_unique<TlsEngine>(context());
        CHECK(engine->handshake() == TlsStatus::wants_input);
    }
    CHECK(octets_in_use() - before <= engines.size() * 256);
}

TEST_CASE("an idle connection holds no buffers, only OpenSSL's state") {
    constexpr std::size_t count = 50;
    constexpr std::size_t octets_max = 14'100;  // 400 more with the keys that a handshake leaves
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        std::vector<std::unique_ptr<TlsEngine>> engines;
        const std::size_t before = octets_in_use();
        for (std::size_t i = 0; i < count; ++i) {
            engines.push_back(std::make_unique<TlsEngine>(context()));
            TlsEngine& server = *engines.back();
            sim::TlsClient client(Client{.min_version = version, .max_version = version});
            char text[100];
            while (!client.handshake() || !server.is_established()) {
                const std::string ciphertext = client.take_outgoing();
                CHECK(server.feed(ciphertext) == ciphertext.size());
                server.handshake();
                client.feed(server.outgoing());
                server.consumed(server.outgoing().size());
            }
            client.write("NOOP\r\n");
            CHECK(server.feed(client.take_outgoing()) > 0);
            CHECK(server.read(text).status == TlsStatus::ready);
            CHECK(server.read(text).status == TlsStatus::wants_input);
            CHECK(server.write(std::string(100'000, 'x')) == 100'000);
            server.consumed(server.outgoing().size());
        }
        const std::size_t each = (octets_in_use() - before) / count;
        MESSAGE("octets of an idle engine, TLS version " << version << ": " << each);
        CHECK(each <= octets_max);
    }
}

}  // namespace restante
