#pragma once
/// One POP3 session from a client's side: connects, follows its script, times every step, checks
/// every answer.

#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <vector>

#include "answer.h"
#include "connection.h"
#include "ledger.h"
#include "options.h"
#include "random.h"
#include "recorder.h"
#include "script.h"
#include "users.h"

namespace pop3load {

/// What the sessions of one thread share; outlives them.
struct SessionService {
    const Options& options;
    const Profile& profile;
    const Users& users;
    const Address& target;
    const std::vector<Address>& sources;
    Recorder recorder;
    TlsClient tls;
    Ledgers& ledgers;
    std::vector<char> buffer;  ///< what is received goes through it
    std::size_t next_source = 0;
};

class Session {
public:
    struct Start {
        std::uint32_t user;
        Instant intended;
        std::uint64_t dice = 0;  ///< what the session draws follows from it
    };
    /// What the session waits for.
    enum class Want : std::uint8_t {
        readable,
        writable,
        time,   ///< on_time() at due(); the socket may tell of a close before
        pause,  ///< on_time() at due(); the socket must not be looked at before
        ended,
    };

    explicit Session(SessionService& service) : service_(service) {}
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    /// Again once it has ended, with another user.
    Want begin(const Start& start, Instant now);
    Want on_ready(Instant now);
    Want on_time(Instant now);
    /// While is_holding() (Phase::hold): it goes on to QUIT.
    Want leave(Instant now);
    /// Ends as timed out where it has waited for an answer since before `since`; whether it did.
    bool end_if_silent(Instant since, Instant now);
    /// Ends as timed out: the run is over and it is not.
    void give_up(Instant now);

    int socket() const { return connection_.socket(); }
    Instant due() const { return due_; }
    bool is_holding() const { return is_holding_; }

private:
    enum class Stage : std::uint8_t { connecting, handshake, talking, ended };
    /// An answer that is due.
    struct Expected {
        Command command;
        Step step;
        Instant intended;
        Instant begun;
    };

    // session.cc: the connection
    Want connected(Instant now);
    void begin_tls();
    Want go_on_with_handshake(Instant now);
    Want talk(Instant now);
    Want send_more(Instant now);
    Want flush(Instant now);
    void queue(const Command& command, Instant now);
    void expect(const Expected& expected);
    Want stop(Connection::Wait wait, Instant now);
    Want fail_to_connect(int error, Instant now);
    Want fail(Fault fault, const std::string& what, Instant now);
    void forget_unanswered_removals();
    Want end(Instant now);
    Knowledge knowledge() const;
    std::size_t depth() const;

    // session_answers.cc: what the answers say
    /// Takes what arrived; false: the session ended with it.
    bool take(std::string_view arrived, Instant now);
    bool answered(Instant now);
    std::optional<Finding> check(const Expected& expected, Instant now);
    std::optional<Finding> check_greeting();
    std::optional<Finding> check_login(const Expected& expected);
    std::optional<Finding> check_stat();
    std::optional<Finding> check_listing(Verb verb);
    std::optional<Finding> check_message(const Command& command, Instant now);
    std::optional<Finding> check_top(const Command& command);
    std::optional<Finding> verify(std::string_view message, std::uint64_t id_hash, Instant now);
    std::string where(const Expected& expected) const;
    void note_new_messages();
    void settle_removals(bool is_acknowledged);
    void begin_answer();

    SessionService& service_;
    Connection connection_;
    AnswerReader reader_;
    Start start_{};
    Stage stage_ = Stage::ended;
    Random random_{0};
    Script script_{service_.profile, service_.options, random_};
    Instant begun_{};
    Instant step_begun_{};  // of connect and tls
    Instant due_{};         // when the next command is meant to be sent
    Instant login_intended_{};
    Instant login_begun_{};
    Instant heard_{};  // of the server
    bool is_tls_wanted_ = false;
    bool is_holding_ = false;
    bool has_thought_ = false;
    bool is_password_wrong_ = false;
    bool is_verified_ = false;  // the message being fetched
    bool has_first_octet_ = false;
    bool quit_sent_ = false;
    std::deque<Expected> expected_;
    std::string timestamp_;  // of APOP
    std::optional<Stat> stat_;
    std::vector<Listed> messages_;
    std::vector<std::uint32_t> new_messages_;
    std::vector<std::uint64_t> removals_;  // unique-ids whose DELE was answered +OK
};

/// Of what did not begin or end in time.
inline constexpr std::string_view given_up = "not over 10 s after the end of the run";

/// The command as it is sent, with its line end. `timestamp`: of the greeting, for APOP.
std::string wire_command(const Command& command, std::string_view user, std::string_view password,
                         std::string_view timestamp, std::uint32_t top_lines);
/// "<1896.697170952@dbc.mtview.ca.us>" out of a greeting (RFC 1939 §7, APOP); empty: none.
std::string_view apop_timestamp(std::string_view greeting);

}  // namespace pop3load
