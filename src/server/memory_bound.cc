#include "server/memory_bound.h"

#include <algorithm>
#include <bit>
#include <numeric>

#include "auth/introspection.h"
#include "auth/leaky_table.h"
#include "auth/sasl_exchange.h"
#include "auth/scram_memory.h"
#include "auth/verification_cache.h"
#include "base/buffer_pool.h"
#include "net/tls_engine.h"
#include "pop3/limits.h"
#include "pop3/line_reader.h"
#include "ring/helper_pool.h"
#include "ring/receive_buffers.h"
#include "ring/uring_ring.h"
#include "server/policies.h"
#include "server/reactor_log.h"
#include "session/output.h"

namespace restante {
namespace {

constexpr std::uint64_t kib = 1024;
constexpr std::uint64_t mib = 1024 * kib;

/// What no limit in the sources says: measured, and rounded up.
constexpr std::uint64_t program_octets = 32 * mib;   ///< and the libraries: 20 MiB
constexpr std::uint64_t session_octets = 4 * kib;    ///< 1.1 while it waits (a unit test counts)
constexpr std::uint64_t reactor_octets = 2 * mib;    ///< io_uring's queues, timers, stack
constexpr std::uint64_t helper_octets = 256 * kib;   ///< stack, and an allocator's pages
constexpr std::uint64_t inquiry_octets = 256 * kib;  ///< libcurl's handle with its TLS
constexpr std::uint64_t certificate_octets = 256 * kib;
/// Of a user in a table: Slots of 8 octets, two thirds of which are used after they were doubled.
constexpr std::uint64_t user_octets = 24;
/// An eighth of what the allocator gives out is rounding, an eighth pages that are partly used.
constexpr std::uint64_t allocator_part = 4;
constexpr std::uint64_t throttle_tables = 3;   ///< failures by address and by user; tokens
constexpr std::uint64_t tables_at_a_time = 2;  ///< the one in use, and the one that is read
/// A string that grows has up to twice the octets that are in it.
constexpr std::uint64_t log_octets = 2 * 2 * ReactorLog::pending_octets_max;

std::uint64_t helper_threads() {
    const auto sizes = default_helper_sizes();
    return std::accumulate(
        sizes.begin(), sizes.end(), std::uint64_t{0},
        [](std::uint64_t sum, const HelperPool::Size& size) { return sum + size.threads_max; });
}

std::uint64_t reactor_total() {
    constexpr std::uint64_t receiving =
        std::uint64_t{UringOptions{}.receive_buffers} * ReceiveBuffers::buffer_octets;
    return reactor_octets + receiving + log_octets;
}

/// Contexts: of the default names and of each other one, twice while they are read again.
std::uint64_t certificates(const Config& config) {
    return config.tls ? tables_at_a_time * (config.tls->settings.names.size() + 1) : 0;
}

void add_connections(const Config& config, const MemorySurroundings& around,
                     std::vector<MemoryTerm>& terms) {
    const ConnectionMemory each = connection_memory();
    const std::uint64_t all =
        std::min<std::uint64_t>(config.limits.connections, around.descriptors);
    const std::uint64_t logged_in = std::min(all, around.users);
    const std::uint64_t with_tls = config.tls ? all : 0;
    const std::uint64_t logged_in_with_tls = config.tls ? logged_in : 0;
    terms.push_back({"connections", all, each.session});
    terms.push_back({"lines", all, each.line});
    terms.push_back({"replies", all, each.replies});
    terms.push_back({"TLS", with_tls, each.tls});
    terms.push_back({"message buffers", 2 * logged_in, each.message_buffer});
    terms.push_back({"messages under TLS", logged_in_with_tls, each.tls_messages});
}

}  // namespace

ConnectionMemory connection_memory() {
    return {.session = session_octets,
            .line = std::bit_ceil(pop3::auth_line_octets_max + pop3::LineReader::fed_octets_max) +
                    2 * sasl_response_octets_max,
            .replies = Output::early_octets_max,
            .tls = tls_handshake_octets_max + tls_incoming_octets_max +
                   2 * (tls_answers_octets_max + Output::early_octets_max),
            .message_buffer = BufferPool::buffer_octets,
            .tls_messages = tls_outgoing_octets_max + tls_answers_octets_max};
}

std::vector<MemoryTerm> memory_terms(const Config& config, const MemorySurroundings& around) {
    const std::uint64_t reactors = reactors_of(config);
    const bool has_cache = config.auth.cache_ttl > Duration::zero();
    const bool asks = config.auth.token.type == TokenType::introspection;
    std::vector<MemoryTerm> terms;
    add_connections(config, around, terms);
    terms.push_back({"indexes", config.limits.index_memory_mib, mib});
    terms.push_back({"indexes kept", config.limits.index_cache_mib, mib});
    terms.push_back({"hashing", config.auth.hash_memory_mib, mib});
    terms.push_back({"verified logins", has_cache ? verification_cache_entries : 0,
                     verification_cache_entry_octets});
    terms.push_back({"derived keys", has_cache ? reactors * scram_memory_entries : 0,
                     scram_memory_entry_octets});
    terms.push_back(
        {"failed logins", throttle_tables * LeakyTable::buckets, sizeof(std::uint64_t)});
    terms.push_back({"user databases", reactors * tables_at_a_time + 1,
                     around.user_file_octets + around.users * user_octets});
    terms.push_back({"certificates", certificates(config), certificate_octets});
    terms.push_back({"token inquiries", asks ? reactors * introspections_max : 0, inquiry_octets});
    terms.push_back({"reactors", reactors, reactor_total()});
    terms.push_back({"helpers", helper_threads(), helper_octets});
    const std::uint64_t given_out = memory_bound(terms);
    terms.push_back({"allocator", given_out / allocator_part, 1});
    terms.push_back({"program", 1, program_octets});
    return terms;
}

std::uint64_t memory_bound(const std::vector<MemoryTerm>& terms) {
    return std::accumulate(
        terms.begin(), terms.end(), std::uint64_t{0},
        [](std::uint64_t sum, const MemoryTerm& term) { return sum + term.total(); });
}

}  // namespace restante
