#pragma once
/// The most memory that a server takes, computed from its configuration and the limits in the
/// sources: what `restante doctor` says and tests of bad loads hold it to.
///
/// It is the process's own: what /proc/PID/status calls RssAnon, and its program. Not in it are the
/// kernel's sockets (net.ipv4.tcp_mem bounds those of the machine) and the page cache, to which
/// messages belong also while they are mapped.

#include <cstdint>
#include <string_view>
#include <vector>

#include "server/config.h"

namespace restante {

/// What the configuration does not say.
struct MemorySurroundings {
    std::uint64_t descriptors;  ///< RLIMIT_NOFILE: no more connections than these
    /// In all user databases; as many maildrops can be open. Who has no maildrop yet shares none
    /// with others, so only [limits] sessions_per_user keeps one such user to one session.
    std::uint64_t users;
    std::uint64_t user_file_octets;  ///< of all of them
};

/// Something of which there may be `count` at a time, with `octets` each. Some names follow what
/// bounds them: "indexes" are so many MiB.
struct MemoryTerm {
    std::string_view name;
    std::uint64_t count;
    std::uint64_t octets;
    std::uint64_t total() const { return count * octets; }
};

/// Octets of one connection, at most; what the allocator rounds up comes to them.
struct ConnectionMemory {
    std::uint64_t session;  ///< objects and frames, also of one that is at work
    std::uint64_t line;     ///< what came, and an exchange of AUTH
    std::uint64_t replies;  ///< unread ones, before the login
    std::uint64_t tls;      ///< OpenSSL's, what came, and what it says unread
    /// Each of two buffers, once logged in: what is read of a message, and what is not taken.
    std::uint64_t message_buffer;
    std::uint64_t tls_messages;  ///< the latter encrypted
};
ConnectionMemory connection_memory();

/// In the order in which they are to be told.
std::vector<MemoryTerm> memory_terms(const Config& config, const MemorySurroundings& around);
std::uint64_t memory_bound(const std::vector<MemoryTerm>& terms);

}  // namespace restante
