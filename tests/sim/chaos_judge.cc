// The part of ChaosClient that judges replies.
#include <charconv>
#include <utility>

#include "sim/chaos_client.h"

namespace restante::sim {
namespace {

constexpr std::size_t transcript_octets_max = 4000;
/// A little less than the time to log in, which is the shortest after which a server may close.
constexpr Duration patience = std::chrono::seconds(170);

/// "1 abc\r\n2 def\r\n".
std::map<std::uint32_t, std::string> parse_listing(std::string_view text) {
    std::map<std::uint32_t, std::string> listing;
    while (!text.empty()) {
        const std::size_t end = text.find("\r\n");
        const std::string_view line = text.substr(0, end);
        const std::size_t space = line.find(' ');
        std::uint32_t number = 0;
        std::from_chars(line.data(), line.data() + space, number);
        listing[number] = line.substr(space + 1);
        text.remove_prefix(end + 2);
    }
    return listing;
}

}  // namespace

void ChaosClient::fail(std::string_view what) {
    ledger_.fail(std::string(what) + "\nuser " + user_ + ", last replies:\n" + transcript_);
}

void ChaosClient::read() {
    if (is_over_) return;
    if (world_.ring().now() - connected_ > patience) is_excused_ = true;
    received_ += client_.take_received();
    while (!received_.empty()) {
        const bool is_flood = !unsent_.empty() && unsent_.front().what == What::flood;
        if (awaiting_.empty() && is_flood) break;  // answered before its end
        if (awaiting_.empty()) return fail("a reply that nobody asked for: " + received_);
        const Sent sent = awaiting_.front();
        const bool is_long = sent.what == What::list || sent.what == What::uidl ||
                             sent.what == What::retr || sent.what == What::top ||
                             sent.what == What::capa || sent.what == What::auth_list;
        const std::optional<WireReply> reply = take_reply(received_, is_long);
        if (!reply) break;
        awaiting_.pop_front();
        transcript_ += std::to_string(static_cast<int>(sent.what)) + " " +
                       std::to_string(sent.number) + ": " + reply->status + "\n";
        if (transcript_.size() > transcript_octets_max) transcript_.erase(0, 1000);
        judge(sent, *reply);
    }
    if (!client_.has_server_closed()) return;
    is_over_ = true;
    if (!is_excused_) fail("the server closed the connection for no reason");
}

void ChaosClient::check_answered() {
    if (is_over_) return;
    if (!awaiting_.empty()) fail("commands without a reply");
}

void ChaosClient::expect(bool is_ok, const Sent& sent, const WireReply& reply) {
    if (reply.is_ok() != is_ok) {
        fail("not the reply to command " + std::to_string(static_cast<int>(sent.what)) + ": " +
             reply.status);
    }
}

void ChaosClient::judge(const Sent& sent, const WireReply& reply) {
    const bool is_reply = reply.is_ok() || reply.status.starts_with("-ERR") ||
                          (sent.what == What::auth_start && reply.status.starts_with("+ "));
    if (!is_reply) return fail("not a reply: " + reply.status);
    if (sent.what == What::greeting) return expect(true, sent, reply);
    if (sent.what == What::bad || sent.what == What::flood) {
        user_given_ = false;
        return expect(false, sent, reply);
    }
    if (is_logged_in_) return judge_after_login(sent, reply);
    judge_before_login(sent, reply);
}

void ChaosClient::judge_before_login(const Sent& sent, const WireReply& reply) {
    const bool had_user = std::exchange(user_given_, sent.what == What::user);
    const bool had_exchange = std::exchange(is_exchange_open_, false);
    switch (sent.what) {
        case What::user:
        case What::capa:
        case What::auth_list:
        case What::quit: return expect(true, sent, reply);
        case What::auth_start:
            is_exchange_open_ = reply.status.starts_with("+ ");
            if (!is_exchange_open_) fail("AUTH PLAIN: " + reply.status);
            return;
        case What::right_password:
        case What::auth_response: {
            const bool is_asked = sent.what == What::auth_response ? had_exchange : had_user;
            const bool is_excuse = has_faults_ || reply.status.starts_with("-ERR [IN-USE]");
            if (reply.is_ok() != is_asked && !(is_asked && is_excuse))
                return expect(is_asked, sent, reply);
            is_logged_in_ = reply.is_ok();
            marks_.clear();
            return;
        }
        default: return expect(false, sent, reply);
    }
}

void ChaosClient::judge_after_login(const Sent& sent, const WireReply& reply) {
    switch (sent.what) {
        case What::user:
        case What::right_password:
        case What::wrong_password:
        case What::auth_list:
        case What::auth_start:
        case What::auth_response: return expect(false, sent, reply);
        case What::capa:
        case What::noop: return expect(true, sent, reply);
        case What::rset: marks_.clear(); return expect(true, sent, reply);
        case What::stat: expect(true, sent, reply); return judge_stat(reply);
        case What::list:
        case What::uidl: expect(true, sent, reply); return judge_listing(sent, reply);
        case What::list_one:
        case What::uidl_one:
        case What::retr:
        case What::top: return judge_message(sent, reply);
        case What::dele: return judge_mark(sent, reply);
        case What::quit: return judge_quit(reply);
        default: return fail("an unheard-of command");
    }
}

void ChaosClient::judge_stat(const WireReply& reply) {
    if (!has_all_ids_ || !has_all_sizes_) return;
    std::uint64_t octets = 0;
    for (const auto& [number, size] : sizes_) {
        if (!marks_.contains(number)) octets += std::stoull(size);
    }
    const std::string expected =
        "+OK " + std::to_string(ids_.size() - marks_.size()) + " " + std::to_string(octets);
    if (reply.status != expected) fail("STAT: " + reply.status + ", not " + expected);
}

void ChaosClient::judge_listing(const Sent& sent, const WireReply& reply) {
    const Listing listing = parse_listing(reply.text);
    const bool is_uidl = sent.what == What::uidl;
    Listing& known = is_uidl ? ids_ : sizes_;
    for (const auto& [number, value] : listing) {
        if (marks_.contains(number)) fail("listed though it is marked as deleted");
        const auto [before, is_new] = known.emplace(number, value);
        if (before->second != value) fail("LIST or UIDL changed its mind");
    }
    bool& has_all = is_uidl ? has_all_ids_ : has_all_sizes_;
    if (has_all && listing.size() != known.size() - marks_.size()) fail("a listing has changed");
    if (!marks_.empty() || has_all) return;
    has_all = true;
    if (!is_uidl) return;
    std::vector<std::string> unique_ids;
    for (const auto& [number, unique_id] : listing) {
        unique_ids.push_back(unique_id);
        if (number != unique_ids.size()) fail("numbers are not 1 to n");
    }
    ledger_.check_listing(user_, unique_ids, asked_, ledger_.now());
}

bool ChaosClient::may_exist(std::uint32_t number) const {
    return number > 0 && !marks_.contains(number) && (!has_all_ids_ || ids_.contains(number));
}

void ChaosClient::judge_message(const Sent& sent, const WireReply& reply) {
    if (!may_exist(sent.number)) return expect(false, sent, reply);
    const bool is_listing = sent.what == What::list_one || sent.what == What::uidl_one;
    if (is_listing && has_all_ids_) expect(true, sent, reply);
    if (!reply.is_ok()) return;
    if (is_listing) {
        const std::string prefix = "+OK " + std::to_string(sent.number) + " ";
        Listing& known = sent.what == What::list_one ? sizes_ : ids_;
        if (!reply.status.starts_with(prefix)) return fail("of another message: " + reply.status);
        const auto [before, is_new] =
            known.emplace(sent.number, reply.status.substr(prefix.size()));
        if (before->second != reply.status.substr(prefix.size())) fail("LIST or UIDL n changed");
        return;
    }
    const auto unique_id = ids_.find(sent.number);
    if (sent.what == What::top) {
        if (unique_id != ids_.end()) ledger_.check_top(user_, unique_id->second, reply.text);
        return;
    }
    const std::string octets = std::to_string(reply.text.size());
    if (reply.status != "+OK " + octets + " octets") fail("RETR's status and octets differ");
    const auto size = sizes_.find(sent.number);
    if (size != sizes_.end() && size->second != octets) fail("RETR's octets and LIST differ");
    if (unique_id != ids_.end()) ledger_.check_octets(user_, unique_id->second, reply.text);
}

void ChaosClient::judge_mark(const Sent& sent, const WireReply& reply) {
    if (!may_exist(sent.number)) return expect(false, sent, reply);
    if (has_all_ids_) expect(true, sent, reply);
    if (reply.is_ok()) marks_.insert(sent.number);
}

void ChaosClient::judge_quit(const WireReply& reply) {
    if (!reply.is_ok()) {
        if (!has_faults_) fail("QUIT: " + reply.status);
        return;
    }
    for (const std::uint32_t number : marks_) {
        const auto known = ids_.find(number);
        if (known != ids_.end()) ledger_.must_be_gone(user_, known->second);
    }
}

}  // namespace restante::sim
