#pragma once
/// A client of a simulated post office, with good manners or without. Whatever it says, each reply
/// is held against the models.

#include <deque>
#include <map>
#include <string>
#include <string_view>

#include "sim/mail_model.h"
#include "sim/pop3_model.h"
#include "sim/scenario.h"
#include "sim/sim_random.h"

namespace restante::sim {

inline constexpr std::string_view office_password = "tanstaaf";

/// How much has happened: a run in which nothing did shows nothing.
struct Deeds {
    std::uint64_t replies = 0;
    std::uint64_t logins = 0;
    std::uint64_t fetched = 0;  ///< RETR and TOP, whole
    std::uint64_t removed = 0;  ///< acknowledged
    std::uint64_t refused = 0;  ///< where the model would not have
    std::uint64_t broken = 0;   ///< connections that the server ended
    std::uint64_t crashes = 0;

    Deeds& operator+=(const Deeds& other);
};

/// What all clients of a run have in common; outlives them.
struct Office {
    World& world;
    MailModel& mail;
    Verdicts& verdicts;
    SimRandom& random;  ///< of the clients
    const Scenario& scenario;
    Deeds& deeds;
};

class OfficeClient {
public:
    OfficeClient(const Office& office, std::string user);

    /// Does something: sends commands or parts of them, stops reading, leaves.
    void act();
    /// Takes what has arrived, and judges it.
    void read();
    /// The server is gone, and all connections with it.
    void lose_server() { is_over_ = true; }
    /// Its connection is whole; it reads and sends on as it should, from now on.
    void behave();
    void leave();
    // Instead of act(), for a last look at a maildrop that nobody else has.
    void list_everything();
    /// Once that is read.
    void fetch_everything();
    /// Much time has passed: the server may close.
    void excuse() { is_excused_ = true; }
    /// Nothing more can arrive.
    void check_answered();

    bool is_over() const { return is_over_; }
    /// It was let in, and has done nothing that would end that.
    bool holds_maildrop() const;
    const std::string& user() const { return user_; }

private:
    struct Line {
        Said said;
        std::uint64_t end = 0;            ///< in octets of the connection
        std::set<std::uint32_t> marks{};  ///< QUIT: what the session may have marked
        bool is_flood = false;            ///< so long that it is answered before its end
    };

    // Speaking.
    void say_something();
    void say_after_login();
    void say_of_message();
    void log_in();
    void say_bad_line();
    void say(const Said& said, std::string line);
    void send(std::size_t octets);
    void on_sent(const Line& line);
    std::size_t some_octets();
    void misbehave();
    void be_troubled();
    std::uint32_t some_number();

    // Listening.
    void judge(const Said& said, const WireReply& reply);
    void judge_quit(const WireReply& reply);
    void count(const Said& said, const WireReply& reply);
    void learn(const WireReply& reply);
    void learn_octets(const Said& said, const WireReply& reply);
    bool is_excused(const Said& said, const WireReply& reply) const;
    static Invariant invariant_of(const Said& said);
    void fail(Invariant invariant, std::string_view what);

    const Office office_;
    const std::string user_;
    Client client_;

    std::string outbox_;
    std::uint64_t said_octets_ = 0;
    std::uint64_t sent_octets_ = 0;
    std::deque<Line> unsent_;
    std::deque<Line> awaiting_;
    std::string received_;
    std::string transcript_;  // of the last replies, for failures

    Pop3Model model_;
    std::set<std::uint32_t> said_marks_;  // by the order of what was said
    std::set<std::uint32_t> sized_;       // under faults: those whose octets are known
    bool has_said_password_ = false;
    bool has_quit_ = false;  // QUIT and its line end are sent
    bool is_reading_ = true;
    bool has_finished_ = false;
    bool is_excused_;  // the server may close the connection
    bool is_over_ = false;
    Instant split_until_{};
    std::uint32_t bad_lines_ = 0;
    Step asked_ = 0;
    const Instant connected_;
};

}  // namespace restante::sim
