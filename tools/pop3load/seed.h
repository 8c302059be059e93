#pragma once
/// `pop3load seed`: makes maildrops to load a server with.

#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "distribution.h"
#include "seed_text.h"

namespace pop3load {

/// What is in the maildrops.
struct MailProfile {
    Distribution counts;          ///< messages in a maildrop
    Distribution sizes;           ///< octets on the wire
    bool has_retry_pool = false;  ///< as in SeedOptions
};
/// "specmail2001", "poll20", "poll1000", "poll10000": what --mail takes.
std::span<const std::string_view> mail_profile_names();
/// Empty where there is none of that name.
std::optional<MailProfile> find_mail_profile(std::string_view name);

/// As the command line has them; seed_maildrops() checks them all.
struct SeedOptions {
    /// Where a user's maildrop is, as the server's [storage] maildir: absolute, with {user} {local}
    /// {domain}.
    std::string folder;
    std::string user_format = "user{}";  ///< {} becomes 0 to user_count - 1
    std::uint32_t user_count = 100;
    std::string password = "secret";

    Distribution counts = Distribution::constant(20);
    Distribution sizes = Distribution::constant(3'000);
    /// The maildrops of the users that `--profile specmail2001` lets look in vain are empty
    /// (schedule.h, pool_counts()).
    bool has_retry_pool = false;
    LineEnds line_ends = LineEnds::lf;
    bool has_stored_size = false;  ///< ",S=" in the names: octets of the file
    bool has_wire_size = false;    ///< ",W=" in the names: octets with CRLF
    bool is_seen = false;          ///< in cur/ with the flag S; otherwise in new/
    /// Not 0: so many files are made, and messages are hard links to them. More are made where a
    /// maildrop needs more: no maildrop has one file twice.
    std::uint32_t pool_messages = 0;

    std::string passwd_file;       ///< for the server, "NAME:{SCHEME}HASH" a line; "" = none
    std::string scheme = "PLAIN";  ///< of its passwords
    std::string users_file;        ///< for --users-file, "NAME PASSWORD" a line; "" = none
    std::string owner;             ///< of all files: "USER" or "USER:GROUP", names or numbers
    std::uint64_t seed = 1;        ///< the same one gives the same mail
    std::uint32_t threads = 0;     ///< 0: one a core
    bool may_add = false;          ///< to a folder that is not empty
    bool quiet = false;            ///< no progress
};

struct SeedFailure {
    int exit_code;         ///< exit_failed, exit_usage
    std::string sentence;  ///< what happened and what to do; without a full stop
};
/// What was made, as a sentence. While it works it watches for SIGINT and
/// SIGTERM, which end it as a failure; it leaves what is made by then.
std::expected<std::string, SeedFailure> try_seed(const SeedOptions& options);

/// try_seed() that prints its sentence; returns the exit code.
int seed_maildrops(const SeedOptions& options);

}  // namespace pop3load
