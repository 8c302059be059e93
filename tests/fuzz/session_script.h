#pragma once
/// A client's octets and what else happens in a session, as one fuzz input.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace restante::fuzz {

/// What is not sent but done: the octet 0xFF and one of these (modulo their number).
enum class SessionEvent : std::uint8_t { reply, wait, finish, close, reset, connect, flag, remove };
inline constexpr std::size_t session_events = 8;

/// Octets, then the event; the last has none.
struct SessionStep {
    std::string_view octets;
    bool has_event = false;
    SessionEvent event = SessionEvent::reply;
};
/// Views into `script`.
std::vector<SessionStep> session_steps(std::string_view script);

/// Whether the replies follow from the octets alone: no event but reply and wait.
bool is_undisturbed(const std::vector<SessionStep>& steps);

/// What the clients of a script may have marked and removed: a superset, from their lines alone.
class Removals {
public:
    void take_octets(std::string_view octets);
    /// Another connection begins, or this one ends: what was marked without QUIT is nothing.
    void end_connection();
    /// Messages that QUIT may have removed so far, by number in the first session, or by any.
    const std::vector<std::uint32_t>& possible() const { return removable_; }

private:
    void take_line(std::string_view line);

    std::string line_;
    std::vector<std::uint32_t> marked_;
    std::vector<std::uint32_t> removable_;
};

/// What is wrong with all that one connection received: empty where it is a sequence of whole
/// replies, and each message that was sent whole is one of `messages` (as files). `may_be_cut`: the
/// last reply may lack its end.
std::string fault_of_replies(std::string_view received, const std::vector<std::string>& messages,
                             bool may_be_cut);

}  // namespace restante::fuzz
