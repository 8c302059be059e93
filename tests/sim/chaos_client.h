#pragma once
/// A client without manners, and a model of what the server must make of it: one reply a command,
/// in order, each as the session so far demands.

#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "sim/mail_ledger.h"
#include "sim/sim_random.h"
#include "sim/wire_reply.h"
#include "sim/world.h"

namespace restante::sim {

inline constexpr std::string_view chaos_password = "tanstaaf";

class ChaosClient {
public:
    /// `has_faults`: the connection may break and the maildrop fail for no reason of the client's.
    ChaosClient(World& world, MailLedger& ledger, SimRandom& random, std::string user,
                bool has_faults);

    /// Does something: sends commands or parts of them, stops reading, leaves.
    void act();
    /// Takes what has arrived, and judges it.
    void read();
    /// The server is gone, and all connections with it.
    void lose_server() { is_over_ = true; }
    /// It reads and sends on as it should, from now on.
    void behave();
    /// Much time has passed: the server may close.
    void excuse() { is_excused_ = true; }
    /// To be called when nothing more can arrive.
    void check_answered();

    bool is_over() const { return is_over_; }
    /// It was let in, and has done nothing that would end that.
    bool holds_maildrop() const;
    const std::string& user() const { return user_; }

private:
    enum class What : std::uint8_t {
        greeting,
        user,
        right_password,
        wrong_password,
        auth_list,
        auth_start,
        auth_response,
        capa,
        quit,
        stat,
        list,
        uidl,
        list_one,
        uidl_one,
        retr,
        top,
        dele,
        rset,
        noop,
        bad,
        flood,
    };
    struct Sent {
        What what;
        std::uint32_t number = 0;
        std::uint64_t end = 0;            ///< of its line, in octets of the connection
        std::set<std::uint32_t> marks{};  ///< QUIT: what the session may have marked
    };
    using Listing = std::map<std::uint32_t, std::string>;

    // Speaking.
    void say_something();
    void log_in();
    void say_bad_line();
    void say(What what, std::string line, std::uint32_t number = 0);
    void send(std::size_t octets);
    void on_sent(const Sent& sent);
    std::uint32_t some_number();

    // Listening.
    void judge(const Sent& sent, const WireReply& reply);
    void judge_before_login(const Sent& sent, const WireReply& reply);
    void judge_after_login(const Sent& sent, const WireReply& reply);
    void judge_listing(const Sent& sent, const WireReply& reply);
    void judge_message(const Sent& sent, const WireReply& reply);
    void judge_mark(const Sent& sent, const WireReply& reply);
    void judge_stat(const WireReply& reply);
    void judge_quit(const WireReply& reply);
    void expect(bool is_ok, const Sent& sent, const WireReply& reply);
    bool may_exist(std::uint32_t number) const;
    void fail(std::string_view what);

    World& world_;
    MailLedger& ledger_;
    SimRandom& random_;
    const std::string user_;
    const bool has_faults_;
    Client client_;

    std::string outbox_;
    std::uint64_t said_octets_ = 0;
    std::uint64_t sent_octets_ = 0;
    std::deque<Sent> unsent_;
    std::deque<Sent> awaiting_;
    std::string received_;
    std::string transcript_;  // of the last replies, for failures

    std::set<std::uint32_t> said_marks_;  // by the order of what was said
    std::set<std::uint32_t> marks_;       // by the order of the replies
    Listing ids_;
    Listing sizes_;
    bool has_all_ids_ = false;
    bool has_all_sizes_ = false;
    bool user_given_ = false;
    bool has_said_password_ = false;
    bool is_exchange_open_ = false;  // of AUTH
    bool is_logged_in_ = false;
    bool has_quit_ = false;  // QUIT and its line end are sent
    bool is_reading_ = true;
    bool has_finished_ = false;
    bool is_excused_ = false;  // the server may close the connection
    bool is_over_ = false;
    std::uint32_t bad_lines_ = 0;
    Step asked_ = 0;
    const Instant connected_;
};

}  // namespace restante::sim
