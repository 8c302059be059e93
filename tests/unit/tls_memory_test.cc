#include <doctest/doctest.h>
#include <malloc.h>
#include <openssl/crypto.h>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "allocation_count.h"
#include "unit/tls_world.h"

namespace restante {
namespace {

using Client = sim::TlsClientSettings;

const std::shared_ptr<const TlsContext>& context() {
    static const TlsWorld world;
    static const std::shared_ptr<const TlsContext> only = context_of(world.settings());
    return only;
}

/// Of the blocks that OpenSSL holds. Counted block by block: what the C library says is in use
/// contains freed blocks that it keeps, so it depends on which tests ran before.
std::atomic<std::ptrdiff_t> openssl_octets{0};

void* count(void* block) {
    openssl_octets += static_cast<std::ptrdiff_t>(::malloc_usable_size(block));
    return block;
}

void discount(void* block) {
    openssl_octets -= static_cast<std::ptrdiff_t>(::malloc_usable_size(block));
}

void* counted_malloc(std::size_t size, const char*, int) { return count(std::malloc(size)); }

void* counted_realloc(void* block, std::size_t size, const char*, int) {
    discount(block);
    return count(std::realloc(block, size));
}

void counted_free(void* block, const char*, int) {
    discount(block);
    std::free(block);
}

/// OpenSSL takes these before its first allocation only.
const bool is_counted = CRYPTO_set_mem_functions(counted_malloc, counted_realloc, counted_free);

/// What `new` has given out and what OpenSSL holds, from its beginning on.
class TlsMemory {
public:
    TlsMemory() { REQUIRE(is_counted); }
    std::ptrdiff_t octets() const { return count_.octets() + openssl_octets - before_; }

private:
    const AllocationCount count_;
    const std::ptrdiff_t before_ = openssl_octets;
};

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

/// OpenSSL makes much at its first handshake, for all that follow.
void warm_up() {
    for (int round = 0; round < 2 * aborts; ++round) talk_of_round(round);
}

}  // namespace

TEST_CASE("handshakes aborted at each flight leave nothing behind") {
    warm_up();
    const TlsMemory memory;
    for (int round = 0; round < 1'000; ++round) talk_of_round(round);
    CHECK(memory.octets() == 0);
}

TEST_CASE("a connection that has sent nothing costs next to nothing") {
    warm_up();
    std::vector<std::unique_ptr<TlsEngine>> engines(1'000);
    const TlsMemory memory;
    for (auto& engine : engines) {
        engine = std::make_unique<TlsEngine>(context());
        CHECK(engine->handshake() == TlsStatus::wants_input);
    }
    CHECK(memory.octets() <= std::ssize(engines) * 256);
}

TEST_CASE("an idle connection holds no buffers, only OpenSSL's state") {
    constexpr std::ptrdiff_t count = 50;
    constexpr std::ptrdiff_t octets_max = 13'800;  // 400 more with the keys that a handshake leaves
    warm_up();
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        std::vector<std::unique_ptr<TlsEngine>> engines;
        engines.reserve(count);
        const TlsMemory memory;
        for (std::ptrdiff_t i = 0; i < count; ++i) {
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
        const std::ptrdiff_t each = memory.octets() / count;
        MESSAGE("octets of an idle engine, TLS version " << version << ": " << each);
        CHECK(each <= octets_max);
    }
}

}  // namespace restante
