// The part of OfficeClient that judges replies.
#include <algorithm>
#include <charconv>

#include "sim/office_client.h"

namespace restante::sim {
namespace {

constexpr std::size_t transcript_octets_max = 4000;
/// A little less than the time to log in, which is the shortest after which a server may close.
constexpr Duration patience = std::chrono::seconds(170);

bool is_multi_line(Word word) {
    return word == Word::list || word == Word::uidl || word == Word::retr || word == Word::top ||
           word == Word::capa || word == Word::auth_list;
}

struct ListedMessage {
    std::uint32_t number = 0;
    std::string_view value;
};

/// "1 abc\r\n2 def\r\n".
std::vector<ListedMessage> parse_listing(std::string_view text) {
    std::vector<ListedMessage> listing;
    while (!text.empty()) {
        const std::size_t end = text.find("\r\n");
        const std::string_view line = text.substr(0, end);
        const std::size_t space = std::min(line.find(' '), line.size());
        ListedMessage& listed = listing.emplace_back();
        std::from_chars(line.data(), line.data() + space, listed.number);
        listed.value = line.substr(std::min(space + 1, line.size()));
        text.remove_prefix(end + 2);
    }
    return listing;
}

}  // namespace

void OfficeClient::fail(Invariant invariant, std::string_view what) {
    office_.verdicts.fail(
        invariant, std::string(what) + "\nuser " + user_ + ", last replies:\n" + transcript_);
}

void OfficeClient::read() {
    if (is_over_) return;
    if (office_.world.ring().now() - connected_ > patience) is_excused_ = true;
    received_ += wire_.take_received();
    judge_tls();
    while (!received_.empty()) {
        if (awaiting_.empty() && !unsent_.empty() && unsent_.front().is_flood) break;
        if (awaiting_.empty())
            return fail(Invariant::replies_in_order, "nobody asked for: " + received_);
        const Said said = awaiting_.front().said;
        said_at_ = awaiting_.front().sent;
        const std::optional<WireReply> reply = take_reply(received_, is_multi_line(said.word));
        if (!reply) break;
        awaiting_.pop_front();
        transcript_ += std::to_string(static_cast<int>(said.word)) + " " +
                       std::to_string(said.number) + ": " + reply->status + "\n";
        if (transcript_.size() > transcript_octets_max) transcript_.erase(0, 1000);
        judge(said, *reply);
    }
    if (wire_.client().has_server_closed()) judge_end();
}

void OfficeClient::judge_end() {
    is_over_ = true;
    office_.deeds.broken += !has_quit_;
    wire_.keep_session(office_.kept);
    const bool is_announced = wire_.was_closed() || wire_.client().was_reset();
    // Where sending it failed, it could not be.
    const bool may_fail = wire_.is_attacked() || office_.scenario.has(Trouble::errnos);
    if (has_quit_well_ && wire_.is_secure() && !may_fail && !is_announced)
        fail(Invariant::tls_protects, "the end was not announced by close_notify");
    if (!is_excused_ && !wire_.client().was_broken())
        fail(Invariant::answered, "the server closed the connection for no reason");
}

void OfficeClient::check_answered() {
    if (!is_over_ && !awaiting_.empty()) fail(Invariant::answered, "commands without a reply");
    if (!is_over_ && !is_excused_ && !wire_.is_open())
        fail(Invariant::answered, "the TLS handshake did not end");
}

Invariant OfficeClient::invariant_of(const Said& said) {
    switch (said.word) {
        case Word::retr:
        case Word::top: return Invariant::octets_exact;
        case Word::stat:
        case Word::list:
        case Word::uidl:
        case Word::list_one:
        case Word::uidl_one: return Invariant::session_constant;
        case Word::right_password:
        case Word::wrong_password:
        case Word::auth_response: return Invariant::right_passwords_only;
        default: return Invariant::replies_in_order;
    }
}

/// Nobody but the two ends has a say in it.
void OfficeClient::judge_tls() {
    const bool is_refused = wire_.failure().contains("alert");
    if (!wire_.failure().empty() && !(is_refused && is_excused_))
        fail(Invariant::tls_protects, "TLS failed: " + wire_.failure());
    if (!wire_.is_secure() || !wire_.is_open() || is_tls_judged_) return;
    is_tls_judged_ = true;
    ++office_.deeds.secured;
    office_.deeds.resumed += wire_.is_resumed();
    if (is_injected_) fail(Invariant::tls_protects, "TLS began after octets behind STLS");
    const bool is_known = wire_.is_resumed() || office_.certificates->was_in_force_since(
                                                    certificate_moment_, wire_.common_name());
    if (!is_known) fail(Invariant::tls_protects, "not the certificate in force");
}

/// TLS begins now, or what waited goes on in plain text.
void OfficeClient::judge_stls(const WireReply& reply) {
    stls_end_ = never;
    if (reply.is_ok() && !is_over_) wire_.secure(std::exchange(received_, {}), office_.kept);
}

void OfficeClient::judge(const Said& said, const WireReply& reply) {
    if (said.word == Word::uidl && model_.is_open() && !model_.knows_mail()) learn(reply);
    if (model_.knows_mail()) learn_octets(said, reply);
    const Expected expected = model_.expect(said);
    if (!expected.holds_of(reply) && !is_excused(said, reply)) {
        const bool is_reply = reply.is_ok() || reply.status.starts_with("-ERR");
        fail(is_reply ? invariant_of(said) : Invariant::replies_in_order,
             "not what the model says to word " + std::to_string(static_cast<int>(said.word)) +
                 ": " + reply.status + "\nbut: " + expected.status_line);
    }
    if (is_login(said.word) && reply.is_ok()) office_.mail.note_let_in(user_, asked_);
    if (said.word == Word::quit && model_.is_open()) judge_quit(reply);
    count(said, reply);
    model_.note(said, reply);
    if (said.word == Word::stls) judge_stls(reply);
}

void OfficeClient::count(const Said& said, const WireReply& reply) {
    Deeds& deeds = office_.deeds;
    ++deeds.replies;
    const bool is_fetch = said.word == Word::retr || said.word == Word::top;
    deeds.refused += !model_.expect(said).holds_of(reply);
    if (!reply.is_ok()) return;
    deeds.logins += is_login(said.word);
    deeds.fetched += is_fetch;
    if (said.word == Word::quit) deeds.removed += model_.marks().size();
}

/// Where the model says otherwise: other sessions, other programs and faults are not in it.
bool OfficeClient::is_excused(const Said& said, const WireReply& reply) const {
    const bool may_refuse = office_.scenario.may_refuse();
    const bool is_sized = model_.knows_mail() && sized_.size() == model_.mail().size();
    if (reply.is_ok()) return said.word == Word::stat && may_refuse && !is_sized;
    if (!reply.status.starts_with("-ERR")) return false;
    switch (said.word) {
        case Word::right_password:
        case Word::auth_response: return may_refuse || reply.status.starts_with("-ERR [IN-USE]");
        case Word::retr:
        case Word::top: return model_.is_open() && (may_refuse || may_be_missed(said.number));
        case Word::quit: return model_.is_open() && (may_refuse || has_elusive_mark());
        default: return false;
    }
}

/// Which message it is shows in a listing.
bool OfficeClient::may_be_missed(std::uint32_t number) const {
    if (!model_.knows_mail()) return office_.mail.is_touched_since(user_, asked_);
    if (number == 0 || number > model_.mail().size()) return false;
    const std::string& unique_id = model_.mail()[number - 1].unique_id;
    const MailModel::Message* message = office_.mail.find(user_, unique_id);
    return message == nullptr || MailModel::may_be_missed(*message, asked_, said_at_);
}

/// It was looked for again and again while QUIT was under way.
bool OfficeClient::has_elusive_mark() const {
    return std::ranges::any_of(model_.marks(), [this](std::uint32_t number) {
        const std::string& unique_id = model_.mail()[number - 1].unique_id;
        const MailModel::Message* message = office_.mail.find(user_, unique_id);
        return message == nullptr || MailModel::is_elusive(*message, said_at_);
    });
}

/// The first UIDL after the login: nothing is marked before (say_something).
void OfficeClient::learn(const WireReply& reply) {
    if (!reply.is_ok()) return;
    std::vector<Pop3Model::Message> mail;
    std::vector<std::string> unique_ids;
    for (const ListedMessage& listed : parse_listing(reply.text)) {
        unique_ids.emplace_back(listed.value);
        const MailModel::Message* message = office_.mail.find(user_, unique_ids.back());
        if (message == nullptr) return;
        mail.push_back({unique_ids.back(), message->text, message->text.size()});
        if (listed.number != mail.size())
            fail(Invariant::session_constant, "numbers are not 1 to n");
    }
    opened_ = office_.mail.now();
    office_.mail.check_listing(user_, unique_ids, asked_, opened_);
    model_.learn(std::move(mail));
}

/// Under faults a message that could not be read is listed with its stored octets: which of the two
/// it is to be shows when it is listed first.
void OfficeClient::learn_octets(const Said& said, const WireReply& reply) {
    if (!office_.scenario.may_refuse() || !reply.is_ok()) return;
    if (said.word != Word::list && said.word != Word::list_one) return;
    std::string text = reply.text;
    if (said.word == Word::list_one) text = reply.status.substr(4) + "\r\n";
    for (const ListedMessage& listed : parse_listing(text)) {
        if (listed.number == 0 || listed.number > model_.mail().size()) continue;
        if (!sized_.insert(listed.number).second) continue;
        const Pop3Model::Message& known = model_.mail()[listed.number - 1];
        const MailModel::Message* message = office_.mail.find(user_, known.unique_id);
        if (listed.value == std::to_string(message->stored_octets))
            model_.set_octets(listed.number, message->stored_octets);
    }
}

void OfficeClient::judge_quit(const WireReply& reply) {
    if (!reply.is_ok()) return;
    has_quit_well_ = true;
    for (const std::uint32_t number : model_.marks())
        office_.mail.must_be_gone(user_, model_.mail()[number - 1].unique_id, asked_, opened_);
}

}  // namespace restante::sim
