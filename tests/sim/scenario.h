#pragma once
/// Which post office is simulated: all that a run depends on. From a seed alone, or from the words
/// of a replay command, which may leave things out.

#include <bitset>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sim/sim_faults.h"
#include "sim/world.h"

namespace restante::sim {

enum class Trouble : std::uint8_t {
    errnos,        ///< any operation ends with any errno that it may return
    resets,        ///< of connections, at any octet
    splits,        ///< nothing passes on a connection for milliseconds or minutes
    late,          ///< completions come late, cancelled or not
    queues,        ///< the helpers' queues are full
    short_reads,   ///< a file seems to be cut off
    torn_reads,    ///< a file is read in parts
    listings,      ///< what is renamed is skipped, or comes twice
    power,         ///< is lost: what was not synced may be gone
    kills,         ///< of the process, by SIGKILL
    restarts,      ///< of the server, as it should
    clocks,        ///< jump, both of them
    deliveries,    ///< by MTAs, while sessions are under way
    renames,       ///< by IMAP servers and mail readers
    removals,      ///< likewise
    manners,       ///< clients reset, half-close, stop reading, say nonsense
    tls,           ///< TLS and STLS, which some clients use; certificates are replaced
    attackers,     ///< on the way of those: octets are changed, lost, repeated, injected
    lists,         ///< of unique-ids, left in some maildrops by a former server
    undurable,     ///< `durable = false`: with the power removals may come back
    replacements,  ///< of files, by programs that pack or restore mail
};
inline constexpr std::size_t troubles = 21;
std::string_view name_of(Trouble trouble);

class TroubleSet {
public:
    bool has(Trouble trouble) const { return bits_[static_cast<std::size_t>(trouble)]; }
    void set(Trouble trouble, bool present) { bits_[static_cast<std::size_t>(trouble)] = present; }
    /// "errnos,late"; "none".
    std::string text() const;
    static std::optional<TroubleSet> parse(std::string_view text);
    bool operator==(const TroubleSet&) const = default;

private:
    std::bitset<troubles> bits_;
};

struct Scenario {
    std::uint64_t seed = 1;
    std::uint32_t users = 1;
    std::uint32_t clients = 1;  ///< at a time
    std::uint32_t steps = 1;
    TroubleSet trouble{};

    static Scenario of_seed(std::uint64_t seed);
    /// What the environment says of it: RESTANTE_SIM_USERS, _CLIENTS, _STEPS, _TROUBLE.
    void obey_environment();
    SimOptions options() const;
    WorldSettings settings() const;
    /// One to three.
    std::size_t reactors() const;

    /// The server may end a connection that is whole.
    bool may_give_up() const;
    /// A login, RETR, TOP or QUIT may be refused.
    bool may_refuse() const;
    bool has(Trouble asked) const { return trouble.has(asked); }
    bool operator==(const Scenario&) const = default;
};

/// A number from the environment.
std::uint64_t environment_number(const char* variable, std::uint64_t otherwise);

}  // namespace restante::sim
