#pragma once
/// Plays a transcript without doing any I/O: says what to do next, judges what the server sent. The
/// simulator, sockets and pipes all run it with the same loop:
///
///     Player player(transcript, Pace::as_written, md5_hex);
///     while (!player.is_over()) {
///         const Action action = player.action();
///         if (action.kind == ActionKind::receive) {
///             ... player.received(connection, octets) or player.server_closed(connection) ...
///         } else {
///             ... carry it out ...
///             player.done();
///         }
///     }

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "transcript.h"

namespace restante_test {

enum class Pace : std::uint8_t {
    as_written,  ///< the client waits for the lines that stand before its next one
    eager,       ///< it sends ahead whatever it can: up to a close, a wait, {apop} ...
};

enum class ActionKind : std::uint8_t {
    connect,
    send,
    receive,
    close,
    wait,
    outside_remove,
    outside_flag,
    outside_deliver,
};

/// Fields that the kind does not name are empty.
struct Action {
    ActionKind kind;
    std::uint32_t connection = 0;      ///< connect, send, receive, close: from 1
    std::uint32_t number = 0;          ///< outside_remove, outside_flag: the message
    std::string octets{};              ///< send, outside_deliver
    std::string file_name{};           ///< outside_deliver
    std::chrono::seconds duration{0};  ///< wait
};

/// Lower-case hex of the MD5 of octets, for APOP.
using Md5Hex = std::function<std::string(std::string_view octets)>;

class Player {
public:
    /// `transcript` outlives it.
    Player(const Transcript& transcript, Pace pace, Md5Hex md5_hex);

    /// Played to its end, or failed.
    bool is_over() const { return !failure_.empty() || at_ == transcript_.steps.size(); }
    /// The dialogue up to the wrong line and what is wrong, "" = nothing. To be asked once it is
    /// over: it also says when the server sent more than the transcript has.
    std::string failure() const;

    /// What to do next; only where !is_over().
    Action action() const;
    /// The action was carried out; not for `receive`.
    void done();
    /// Octets of the server, in any pieces, at any time, on any connection.
    void received(std::uint32_t connection, std::string_view octets);
    /// The server closed or reset it.
    void server_closed(std::uint32_t connection);
    /// The runner gives up, e.g. because nothing came in time.
    void fail(std::string_view reason);

private:
    struct Connection {
        std::string octets;     // received and not yet matched
        std::string timestamp;  // of its greeting, "" = none
        bool is_closed_by_server = false;
        bool is_closed_by_client = false;
        bool has_greeting = false;
    };

    const Step& step() const { return transcript_.steps[at_]; }
    std::size_t next_send() const;
    std::string octets_to_send(const Step& step) const;
    void match();
    bool match_step();
    bool match_line(const Step& step, std::string_view line);
    bool match_close(const Connection& connection);
    void note_line(Connection& connection, const std::string& line);

    const Transcript& transcript_;
    Pace pace_;
    Md5Hex md5_hex_;
    std::size_t at_ = 0;    // of the step to play
    std::size_t sent_ = 0;  // steps before it were sent; may be ahead of at_
    std::uint32_t current_ = 0;
    std::map<std::uint32_t, Connection> connections_;
    std::set<std::string> seen_;
    std::string dialogue_;
    std::string failure_;
};

}  // namespace restante_test
