#pragma once
/// What another POP3 server has left in a maildrop: its list of unique-ids, which its clients know
/// and which must stay as they are. Written apart from what the server reads it with.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sim/sim_file_system.h"
#include "sim/sim_random.h"

namespace restante::sim {

class FormerServer {
public:
    /// One of those there are: Dovecot, Courier in four versions, or both one after the other.
    explicit FormerServer(SimRandom& random);

    /// The unique-id that its clients know of the message `base`; nothing where it never saw it.
    std::optional<std::string> unique_id_of(const std::string& base);
    /// Into the maildrop's folder, which is there.
    void leave_list(SimFileSystem& files, const std::string& maildrop) const;

private:
    enum class Kind : std::uint8_t {
        dovecot_1,
        dovecot_3,
        courier_0,
        courier_1,
        courier_2,
        courier_3
    };

    bool is_dovecot() const { return kind_ <= Kind::dovecot_3; }
    std::string dovecot_id(const std::string& base);
    std::string courier_id(const std::string& base);
    std::string header() const;

    SimRandom& random_;
    const Kind kind_;
    const bool was_courier_before_;  // a list that Dovecot's hides
    std::uint32_t next_uid_;
    const std::uint32_t uidvalidity_;
    std::string lines_;
};

}  // namespace restante::sim
