#pragma once
/// What a session is made of, as it is timed and counted.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace pop3load {

/// One measured stretch of a session. From when it was meant to begin to its end: the whole answer,
/// except `retr_first`, which ends with the first octet of the message.
enum class Step : std::uint8_t {
    connect,
    tls,
    greeting,
    auth,  ///< all of it: USER and PASS, APOP, AUTH
    capa,
    stat,
    list,
    uidl,
    retr_first,
    retr_last,
    top,
    dele,
    noop,
    quit,
    session,  ///< from the connection to the end of QUIT
};
inline constexpr std::array<std::string_view, 15> step_names = {
    "connect",    "tls",       "greeting", "auth", "capa", "stat", "list",   "uidl",
    "retr_first", "retr_last", "top",      "dele", "noop", "quit", "session"};
inline constexpr std::size_t steps = step_names.size();
constexpr std::string_view name_of(Step step) { return step_names[static_cast<std::size_t>(step)]; }

/// What went wrong with a session; it ends with the first.
enum class Fault : std::uint8_t {
    connect_failed,  ///< refused, unreachable
    tls_failed,
    no_apop,              ///< the greeting has no timestamp for --auth apop
    login_refused,        ///< -ERR to a right password
    closed,               ///< the server closed, or reset, before the answer was whole
    timed_out,            ///< no octet for --timeout
    malformed_answer,     ///< no +OK and no -ERR, a line without end, a listing that cannot be read
    command_refused,      ///< -ERR where +OK is due
    wrong_count,          ///< STAT, LIST and UIDL disagree on how many messages there are
    wrong_octets,         ///< RETR has other octets than LIST says, or LIST others than STAT
    wrong_content,        ///< not the message that was seeded, or another than at first
    unique_id_repeated,   ///< two messages of a listing with one unique-id
    unique_id_changed,    ///< a known message came back with another unique-id
    message_lost,         ///< a message nobody deleted is gone, or STAT says fewer than before
    message_resurrected,  ///< a message is back whose deletion was acknowledged
    wrong_password_accepted,
};
inline constexpr std::array<std::string_view, 16> fault_names = {
    "connect_failed",         "tls_failed",      "no_apop",
    "login_refused",          "closed",          "timed_out",
    "malformed_answer",       "command_refused", "wrong_count",
    "wrong_octets",           "wrong_content",   "unique_id_repeated",
    "unique_id_changed",      "message_lost",    "message_resurrected",
    "wrong_password_accepted"};
inline constexpr std::size_t faults = fault_names.size();
using FaultCounts = std::array<std::uint64_t, faults>;  ///< by kind

/// Whether the server answered wrongly: one is enough for the run to fail.
constexpr bool is_wrong_answer(Fault fault) {
    return fault == Fault::malformed_answer || fault >= Fault::wrong_count;
}

}  // namespace pop3load
