#pragma once
/// The reference model of a POP3 session (RFC 1939): a page of code that says what the reply to
/// each command must be.

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "sim/wire_reply.h"

namespace restante::sim {

/// What a client says, and whether it is right to.
enum class Word : std::uint8_t {
    greeting,  // of the server
    user,
    right_password,
    wrong_password,
    auth_list,
    auth_start,
    auth_response,
    stls,
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
};

inline bool is_login(Word word) {
    return word == Word::right_password || word == Word::auth_response;
}

struct Said {
    Word word;
    std::uint32_t number = 0;  ///< of a message
    std::uint64_t lines = 0;   ///< TOP
};

/// What a reply must be; what is not said may be anything.
struct Expected {
    enum class Status : std::uint8_t { ok, refusal, challenge, either } status = Status::ok;
    std::string status_line{};          ///< "" = any
    std::optional<std::string> text{};  ///< of a multi-line response

    bool holds_of(const WireReply& reply) const;
};

class Pop3Model {
public:
    struct Message {
        std::string unique_id;
        std::string text;
        std::uint64_t octets;  ///< what LIST says
    };

    explicit Pop3Model(bool offers_stls) : offers_stls_(offers_stls) {}

    /// The reply to what is said now. A login: as if nobody else had the maildrop.
    Expected expect(const Said& said) const;
    /// What follows from that reply.
    void note(const Said& said, const WireReply& reply);
    /// The session's messages, as numbered; once, after the login.
    void learn(std::vector<Message> mail) { mail_ = std::move(mail); }

    /// A message that could not be read at the login is listed with what is stored.
    void set_octets(std::uint32_t number, std::uint64_t octets) {
        (*mail_)[number - 1].octets = octets;
    }

    bool is_open() const { return is_open_; }
    bool knows_mail() const { return mail_.has_value(); }
    const std::vector<Message>& mail() const { return *mail_; }
    const std::set<std::uint32_t>& marks() const { return marks_; }
    /// Neither known to be missing nor marked.
    bool may_exist(std::uint32_t number) const;

private:
    Expected expect_before_login(Word word) const;
    Expected expect_of_message(const Said& said) const;
    Expected expect_listing(Word word) const;
    Expected expect_stat() const;

    bool offers_stls_;
    bool has_user_ = false;        // neither does it outlive STLS (RFC 2595 §4)
    bool is_in_exchange_ = false;  // of AUTH
    bool is_open_ = false;
    std::optional<std::vector<Message>> mail_;
    std::set<std::uint32_t> marks_;
};

/// The headers, the blank line and `lines` of the body (RFC 1939 §7).
std::string top_of(const std::string& text, std::uint64_t lines);

}  // namespace restante::sim
