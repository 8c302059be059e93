#pragma once
/// The reference model of all maildrops: what mail there is, who may remove it, and what clients
/// were told of it. Kept apart from the server, to judge it by.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "sim/invariant.h"
#include "sim/world.h"

namespace restante::sim {

/// A moment of a run; grows with every step.
using Step = std::uint64_t;
inline constexpr Step never_yet = ~Step{0};

/// Which file it is, whatever its name and number; keeps none of them from its end.
using SimFile = std::weak_ptr<const SimInode>;

class MailModel {
public:
    /// One message may be in several files, one after the other.
    struct Copy {
        SimFile file;
        Step made = 0;
    };
    struct Message {
        std::string base;
        std::string text;  ///< as clients must hold it
        std::uint64_t stored_octets = 0;
        Step delivered = 0;
        Step gone = never_yet;    ///< as first seen
        Step may_go = never_yet;  ///< since when it may be removed
        std::vector<Step> renamed{};
        std::vector<Copy> copies{};      ///< the present one is the last
        std::vector<SimFile> removed{};  ///< acknowledged as such
    };

    MailModel(World& world, Verdicts& verdicts) : world_(world), verdicts_(verdicts) {}

    Step now() const { return now_; }

    // Other programs; nothing where a message is gone already.
    struct Delivery {
        std::string base;  ///< used once
        std::string octets;
        std::optional<std::string> unique_id{};  ///< what a former server called it
    };
    void deliver(const std::string& user, const Delivery& delivery);
    void remove(const std::string& user, const std::string& base);
    void rename(const std::string& user, const std::string& base, const std::string& flags);
    /// By a file with the same octets, under the same name.
    void replace(const std::string& user, const std::string& base);
    /// By other programs, or a power cut, since `since`.
    bool is_touched_since(const std::string& user, Step since) const;
    /// So often since `since` that whoever looks for it may give up.
    static bool is_elusive(const Message& message, Step since);
    /// A session that asked to be let in at `asked` may fail to read it at `since` or later: it is
    /// gone, or another file by now, or elusive.
    static bool may_be_missed(const Message& message, Step asked, Step since);

    /// A session of `user` has marked it and sent QUIT and a line end.
    void may_go(const std::string& user, const std::string& unique_id);
    /// A session that asked for entry at `asked` was let in: those before it are over, and what
    /// they were asked for and have not done they must not do any more.
    void note_let_in(const std::string& user, Step asked);
    /// The reply to that QUIT was +OK, of a session that asked for entry after `asked`, and was by
    /// `opened`: the file that it knew must be gone, for good.
    void must_be_gone(const std::string& user, const std::string& unique_id, Step asked,
                      Step opened);
    /// nullptr, and a failure, where no message of the user ever had it.
    const Message* find(const std::string& user, const std::string& unique_id);
    /// A listing by a session that asked to be let in after `asked` and was by `opened`.
    void check_listing(const std::string& user, const std::vector<std::string>& unique_ids,
                       Step asked, Step opened);

    /// Looks at the disk: what is gone without leave? To be called after every step, for the users
    /// of whom anything may have changed.
    void observe(const std::set<std::string>& users);
    void observe_all();
    /// The server is gone, and all sessions with it. What was not acknowledged may have come back
    /// where the power was cut; where `keeps_promises` is false (durable = false), what was, too:
    /// it is there again as it was then.
    void observe_after_crash(bool keeps_promises);
    /// Base names that are there.
    std::vector<std::string> present(const std::string& user) const {
        return world_.messages(user);
    }

private:
    using Mail = std::map<std::string, Message>;  // by unique-id
    enum class Moment : std::uint8_t { ordinary, after_crash, after_broken_promises };

    void finish_delivery();
    Message* find_mutable(const std::string& user, const std::string& unique_id);
    std::string path_of(const std::string& user, const std::string& base);
    bool is_back(const std::string& user, const Message& message);
    InodeRef file_of(const std::string& user, const std::string& base);
    void look(const std::string& user, Mail& mail, Moment moment);
    void look_at(Message& message, const std::string& unique_id, bool is_there, Moment moment);

    World& world_;
    Verdicts& verdicts_;
    Step now_ = 1;
    std::map<std::string, Mail> mail_;     // by user
    std::map<std::string, Step> touched_;  // by user
    Step crashed_ = 0;
    std::string being_delivered_;  // under its name in tmp/, too
};

}  // namespace restante::sim
