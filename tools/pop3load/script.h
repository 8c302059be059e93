#pragma once
/// What a session does, command after command: the profiles.

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "options.h"
#include "random.h"

namespace pop3load {

enum class Verb : std::uint8_t {
    capa,
    stls,
    user,
    pass,
    apop,
    auth_plain,
    stat,
    list,
    uidl,
    retr,
    top,
    dele,
    noop,
    quit
};

struct Command {
    Verb verb = Verb::noop;
    std::uint32_t message = 0;  ///< its number, from 1; of RETR, TOP, DELE
};

/// A stretch of a profile; some are one command, some one a message.
enum class Phase : std::uint8_t {
    capa,
    log_in,
    stat,
    list,
    uidl,
    fetch_all,    ///< RETR each; DELE after some of them
    fetch_new,    ///< RETR what no session before has seen, or the last one
    fetch_cycle,  ///< RETR round and round
    top_all,
    noops,
    hold,  ///< nothing, to the end of the run
    quit,
};

/// A profile as workload.md of the field's reports would name it.
struct Profile {
    std::string_view name;
    std::string_view meaning;
    std::vector<Phase> phases;
    /// SPECmail2001's workload: two pools of users, DELE after RETR, the rate of the peak hour, and
    /// its quality of service.
    bool is_specmail = false;
    bool pauses_reading = false;  ///< `slow`
    /// Its sessions last to the end of the run.
    bool holds() const;
};
/// Every profile, for --help and for find_profile().
std::span<const Profile> profiles();
/// nullptr: no such profile.
const Profile* find_profile(std::string_view name);

/// What the answers have told so far.
struct Knowledge {
    std::optional<std::uint32_t> messages;        ///< of STAT or LIST
    bool is_settled = false;                      ///< every command sent has been answered
    std::span<const std::uint32_t> new_messages;  ///< numbers
};

/// Where one session is in its profile.
class Script {
public:
    enum class Next : std::uint8_t { command, wait, hold, done };

    /// `random` chooses what is deleted.
    Script(const Profile& profile, const Options& options, const Random& random)
        : profile_(&profile),
          options_(&options),
          random_(random),
          delete_share_(profile.is_specmail ? 1 : options.delete_share) {}
    /// The next command into `command`. `wait`: not before the answers are in. `hold`: none until
    /// leave(). `done`: nothing after QUIT.
    Next next(const Knowledge& knowledge, Command& command);
    /// Straight to QUIT.
    void leave();

private:
    Next log_in(Command& command);
    Next one_a_message(Phase phase, const Knowledge& knowledge, Command& command);
    Next repeated(Phase phase, const Knowledge& knowledge, Command& command);
    void finish_phase();
    Next once(Verb verb, Command& command);

    const Profile* profile_;
    const Options* options_;
    Random random_;
    double delete_share_;
    bool deletes_next_ = false;  // what was fetched just now
    std::size_t phase_ = 0;
    std::uint64_t step_ = 0;  // in the phase
};

}  // namespace pop3load
