// The most memory that a server takes (server/memory_bound.h).
#include "server/memory_bound.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "auth/password_fault.h"
#include "auth/verification_cache.h"
#include "base/buffer_pool.h"
#include "net/tls_engine.h"
#include "session/session.h"

using namespace restante;

namespace {

constexpr std::uint64_t mib = 1 << 20;

Config config_for(std::uint32_t connections) {
    Config config;
    config.limits.connections = connections;
    config.runtime.reactors = 2;
    return config;
}

MemorySurroundings around(std::uint64_t users) {
    return {.descriptors = 500'000, .users = users, .user_file_octets = users * 100};
}

MemoryTerm term(const std::vector<MemoryTerm>& terms, std::string_view name) {
    const auto found = std::ranges::find(terms, name, &MemoryTerm::name);
    REQUIRE(found != terms.end());
    return *found;
}

std::uint64_t bound(const Config& config, const MemorySurroundings& around) {
    return memory_bound(memory_terms(config, around));
}

}  // namespace

TEST_CASE("the memory bound is the sum of its terms, each with a name of its own") {
    const std::vector<MemoryTerm> terms = memory_terms(config_for(1000), around(100));
    std::uint64_t sum = 0;
    for (const MemoryTerm& each : terms) {
        sum += each.total();
        CHECK(std::ranges::count(terms, each.name, &MemoryTerm::name) == 1);
    }
    CHECK(memory_bound(terms) == sum);
    const MemoryTerm allocator = term(terms, "allocator");
    const MemoryTerm program = term(terms, "program");
    CHECK(allocator.total() >= (sum - allocator.total() - program.total()) / 8);
}

TEST_CASE("what a connection takes covers each thing that it may hold at a time") {
    const ConnectionMemory each = connection_memory();
    CHECK(each.session >= sizeof(Session));
    CHECK(each.line >= pop3::auth_line_octets_max);
    CHECK(each.replies >= Output::early_octets_max);
    CHECK(each.tls >= tls_handshake_octets_max + tls_incoming_octets_max);
    CHECK(each.message_buffer == BufferPool::buffer_octets);
    CHECK(each.tls_messages >= tls_outgoing_octets_max);
}

TEST_CASE("connections count up to what [limits] and the descriptors let in") {
    const std::vector<MemoryTerm> few = memory_terms(config_for(1000), around(100));
    CHECK(term(few, "connections").count == 1000);
    MemorySurroundings scarce = around(100);
    scarce.descriptors = 256;
    CHECK(term(memory_terms(config_for(1000), scarce), "connections").count == 256);
}

TEST_CASE(
    "message buffers count for as many sessions as there are users, each maildrop is open once") {
    CHECK(term(memory_terms(config_for(1000), around(100)), "message buffers").count == 200);
    CHECK(term(memory_terms(config_for(1000), around(5000)), "message buffers").count == 2000);
}

TEST_CASE("TLS counts where it is configured") {
    Config config = config_for(1000);
    const std::uint64_t plain = bound(config, around(100));
    CHECK(term(memory_terms(config, around(100)), "TLS").total() == 0);
    config.tls.emplace();
    CHECK(term(memory_terms(config, around(100)), "TLS").count == 1000);
    CHECK(term(memory_terms(config, around(100)), "messages under TLS").count == 100);
    CHECK(bound(config, around(100)) >= plain + 1000 * connection_memory().tls);
}

TEST_CASE("every limit that the operator may set shows in the memory bound") {
    const Config config = config_for(1000);
    const std::uint64_t before = bound(config, around(100));
    Config more = config;
    more.limits.index_memory_mib += 100;
    CHECK(bound(more, around(100)) >= before + 100 * mib);
    more = config;
    more.limits.index_cache_mib += 100;
    CHECK(bound(more, around(100)) >= before + 100 * mib);
    more = config;
    more.auth.hash_memory_mib += 100;
    CHECK(bound(more, around(100)) >= before + 100 * mib);
    more = config;
    more.runtime.reactors += 1;
    CHECK(bound(more, around(100)) > before);
    more = config;
    more.limits.connections += 1;
    CHECK(bound(more, around(100)) > before);
    Config without_cache = config;
    without_cache.auth.cache_ttl = Duration::zero();
    CHECK(before - bound(without_cache, around(100)) >=
          verification_cache_entries * verification_cache_entry_octets);
    more = config;
    more.auth.token.type = TokenType::introspection;
    CHECK(bound(more, around(100)) > before);
}

TEST_CASE("user databases count as often as reactors may hold them, an old and a new one each") {
    const MemoryTerm databases =
        term(memory_terms(config_for(1000), around(100)), "user databases");
    CHECK(databases.count == 5);
    CHECK(databases.octets >= 100 * 100);
}

TEST_CASE("a server for ten thousand users fits a machine of 8 GiB, whoever connects") {
    Config config = config_for(10'000);
    config.tls.emplace();
    config.limits.index_memory_mib = 1024;
    CHECK(bound(config, around(2'000)) < std::uint64_t{8} << 30);
}
