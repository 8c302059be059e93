#pragma once
/// A client of a simulated post office, with good manners or without. Whatever it says, each reply
/// is held against the models.

#include <deque>
#include <map>
#include <string>
#include <string_view>

#include "sim/mail_model.h"
#include "sim/office_certificates.h"
#include "sim/office_wire.h"
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
    std::uint64_t secured = 0;   ///< TLS handshakes that were completed
    std::uint64_t resumed = 0;   ///< of those
    std::uint64_t attacked = 0;  ///< connections

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
    const OfficeCertificates* certificates;  ///< nullptr: there is no TLS
    KeptTlsSession& kept;
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

    /// TLS has to begin before anything it says can be sent.
    bool is_shaking_hands() const { return !wire_.is_open(); }
    bool is_over() const { return is_over_; }
    /// It was let in, and has done nothing that would end that.
    bool holds_maildrop() const;
    const std::string& user() const { return user_; }
    /// Base names of the messages that its session has marked.
    std::vector<std::string> marked() const;

private:
    static constexpr std::uint64_t never = ~std::uint64_t{0};
    struct Line {
        Said said;
        std::uint64_t end = 0;            ///< in octets of the connection
        std::set<std::uint32_t> marks{};  ///< QUIT: what the session may have marked
        Step sent = 0;
        bool is_flood = false;  ///< so long that it is answered before its end
    };

    // Speaking.
    void say_something();
    void say_after_login();
    void say_of_message();
    void log_in();
    void say_bad_line();
    void say_stls();
    void say(const Said& said, std::string line);
    /// `hold`: under TLS the last octets may stay behind for now.
    void send(std::size_t octets, bool hold = false);
    void note_sent();
    void on_sent(const Line& line);
    void be_attacked();
    bool is_injection_due();
    std::size_t some_octets();
    void misbehave();
    void be_troubled();
    std::uint32_t some_number();

    // Listening.
    void judge(const Said& said, const WireReply& reply);
    void judge_quit(const WireReply& reply);
    void judge_stls(const WireReply& reply);
    void judge_tls();
    void judge_end();
    void count(const Said& said, const WireReply& reply);
    void learn(const WireReply& reply);
    void learn_octets(const Said& said, const WireReply& reply);
    bool is_excused(const Said& said, const WireReply& reply) const;
    bool may_be_missed(std::uint32_t number) const;
    bool has_elusive_mark() const;
    static Invariant invariant_of(const Said& said);
    void fail(Invariant invariant, std::string_view what);

    const Office office_;
    const std::string user_;
    const bool is_tls_first_;
    const std::size_t certificate_moment_;
    OfficeWire wire_;

    std::string outbox_;
    std::uint64_t said_octets_ = 0;
    std::uint64_t sent_octets_ = 0;
    std::uint64_t stls_end_ = never;  // octets behind wait for what becomes of STLS
    std::deque<Line> unsent_;
    std::deque<Line> awaiting_;
    std::string received_;
    std::string transcript_;  // of the last replies, for failures

    Pop3Model model_;
    std::set<std::uint32_t> said_marks_;  // by the order of what was said
    std::set<std::uint32_t> sized_;       // under faults: those whose octets are known
    bool has_said_password_ = false;
    bool has_said_stls_ = false;
    bool is_injected_ = false;    // before TLS began
    bool is_tls_judged_ = false;  // its handshake
    bool has_quit_well_ = false;  // the reply was +OK
    bool has_quit_ = false;       // QUIT and its line end are sent
    bool is_reading_ = true;
    bool has_finished_ = false;
    bool is_excused_;  // the server may close the connection
    bool is_over_ = false;
    Instant split_until_{};
    std::uint32_t bad_lines_ = 0;
    Step asked_ = 0;
    Step opened_ = 0;   // or before
    Step said_at_ = 0;  // what is being judged
    const Instant connected_;
};

}  // namespace restante::sim
