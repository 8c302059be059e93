#pragma once
/// What mail there is in a simulated world, who may remove it, and what clients were told of it:
/// kept apart from the server, to judge it by.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "sim/world.h"

namespace restante::sim {

/// A moment of a run; grows with every step.
using Step = std::uint64_t;
inline constexpr Step never_yet = ~Step{0};

class MailLedger {
public:
    explicit MailLedger(World& world) : world_(world) {}

    /// The first thing that went wrong, "" = nothing.
    const std::string& failure() const { return failure_; }
    void fail(std::string what);
    Step now() const { return now_; }

    /// By another program; `base` is used once.
    void deliver(const std::string& user, const std::string& base, const std::string& octets);
    /// By another program; nothing where it is gone.
    void remove(const std::string& user, const std::string& base);
    void rename(const std::string& user, const std::string& base, const std::string& flags);

    /// A session of `user` has marked it and sent QUIT and a line end.
    void may_go(const std::string& user, const std::string& unique_id);
    /// The reply to that QUIT was +OK: it must be gone, for good.
    void must_be_gone(const std::string& user, const std::string& unique_id);

    /// A listing by a session that asked to be let in after `asked` and was by `opened`: holds
    /// every message that was there all the time and none that was not.
    void check_listing(const std::string& user, const std::vector<std::string>& unique_ids,
                       Step asked, Step opened);
    /// RETR ended with its final ".".
    void check_octets(const std::string& user, const std::string& unique_id,
                      const std::string& octets);
    /// Likewise TOP: they begin the message.
    void check_top(const std::string& user, const std::string& unique_id,
                   const std::string& octets);

    /// Looks at the disk: what is gone without leave? To be called after every step.
    void observe();
    /// The power was cut: what was not acknowledged may have come back.
    void observe_after_crash();
    /// Base names that are there.
    std::vector<std::string> present(const std::string& user) const;

private:
    struct Message {
        std::string base;
        std::string octets;
        Step delivered = 0;
        Step gone = never_yet;  ///< as first seen
        bool may_go = false;
        bool must_be_gone = false;
    };
    using Mail = std::map<std::string, Message>;  // by unique-id

    Message* find(const std::string& user, const std::string& unique_id);
    std::string path_of(const std::string& user, const std::string& base);
    void look(bool after_crash);

    World& world_;
    Step now_ = 0;
    std::string failure_;
    std::map<std::string, Mail> mail_;  // by user
};

}  // namespace restante::sim
