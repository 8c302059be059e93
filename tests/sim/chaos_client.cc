#include "sim/chaos_client.h"

#include "base/base64.h"

namespace restante::sim {
namespace {

/// Of bad lines or failed logins the server endures at least these, less one.
constexpr std::uint32_t bad_lines_max = 5;
constexpr std::size_t flood_octets = 80'000;

std::string in_any_case(std::string text, SimRandom& random) {
    if (!random.chance(0.2)) return text;
    for (char& c : text) {
        if (c >= 'A' && c <= 'Z' && random.coin()) c = static_cast<char>(c - 'A' + 'a');
    }
    return text;
}

}  // namespace

ChaosClient::ChaosClient(World& world, MailLedger& ledger, SimRandom& random, std::string user,
                         bool has_faults)
    : world_(world),
      ledger_(ledger),
      random_(random),
      user_(std::move(user)),
      has_faults_(has_faults),
      client_(world.connect()),
      is_excused_(has_faults),
      connected_(world.ring().now()) {
    awaiting_.push_back({What::greeting});
}

void ChaosClient::act() {
    if (is_over_) return;
    const std::uint64_t dice = random_.below(100);
    if (has_finished_) {
        if (dice < 90) return;
    } else if (dice < 75) {
        for (std::uint64_t count = 1 + random_.below(4); count > 0; --count) say_something();
        return send(random_.chance(0.7) ? outbox_.size() : random_.below(outbox_.size() + 1));
    } else if (dice < 88) {
        return send(outbox_.size());
    }
    if (dice < 91) {
        is_reading_ = !is_reading_;
        return is_reading_ ? client_.resume_reading() : client_.stop_reading();
    }
    if (dice < 93 && !has_finished_) {
        has_finished_ = is_excused_ = true;
        return client_.finish();
    }
    if (dice < 96) return;
    is_over_ = true;
    if (dice == 96) return client_.reset();
    client_.close();
}

void ChaosClient::behave() {
    if (is_over_) return;
    if (!is_reading_) client_.resume_reading();
    is_reading_ = true;
    if (!has_finished_) send(outbox_.size());
}

void ChaosClient::say(What what, std::string line, std::uint32_t number) {
    line += random_.chance(0.9) ? "\r\n" : "\n";
    said_octets_ += line.size();
    outbox_ += line;
    unsent_.push_back({what, number, said_octets_});
    if (what == What::dele) said_marks_.insert(number);
    if (what == What::rset) said_marks_.clear();
    if (what == What::flood) is_excused_ = true;  // closed before its end
    if (what == What::quit) unsent_.back().marks = said_marks_;
}

void ChaosClient::send(std::size_t octets) {
    client_.send(std::string_view(outbox_).substr(0, octets));
    outbox_.erase(0, octets);
    sent_octets_ += octets;
    while (!unsent_.empty() && unsent_.front().end <= sent_octets_) {
        on_sent(unsent_.front());
        awaiting_.push_back(std::move(unsent_.front()));
        unsent_.pop_front();
    }
}

void ChaosClient::on_sent(const Sent& sent) {
    const bool is_login = sent.what == What::right_password || sent.what == What::auth_response;
    const bool is_proper = is_logged_in_ ? sent.what >= What::capa && sent.what < What::bad
                                         : sent.what <= What::capa && !has_said_password_;
    if (!is_proper && ++bad_lines_ >= bad_lines_max) is_excused_ = true;
    if (is_login && !has_said_password_) asked_ = ledger_.now();
    has_said_password_ = has_said_password_ || is_login;
    if (sent.what != What::quit) return;
    has_quit_ = is_excused_ = true;
    for (const std::uint32_t number : sent.marks) {
        const auto known = ids_.find(number);
        if (known != ids_.end()) ledger_.may_go(user_, known->second);
    }
}

std::uint32_t ChaosClient::some_number() {
    const std::uint32_t highest = ids_.empty() ? 6 : ids_.rbegin()->first;
    return static_cast<std::uint32_t>(random_.below(highest + 2));
}

void ChaosClient::log_in() {
    const std::string right = '\0' + user_ + '\0' + std::string(chaos_password);
    switch (random_.below(8)) {
        case 0: return say(What::capa, in_any_case("CAPA", random_));
        case 1: return say(What::auth_list, in_any_case("AUTH", random_));
        case 2:
            say(What::auth_start, "AUTH PLAIN");
            return say(What::auth_response, base64_encode(right));
        case 3:
            say(What::user, "USER " + user_);
            return say(What::wrong_password, "PASS not " + std::string(chaos_password));
        default:
            say(What::user, in_any_case("USER ", random_) + user_);
            return say(What::right_password,
                       in_any_case("PASS ", random_) + std::string(chaos_password));
    }
}

void ChaosClient::say_bad_line() {
    if (random_.chance(0.03)) return say(What::flood, std::string(flood_octets, 'f'));
    static constexpr std::string_view bad_lines[] = {
        "", "XYZZY", "RETR", "DELE 1 2 3", "STAT now", "\x01", "TOP 1", " NOOP", "QUITE", "NOOP\t"};
    std::string line(bad_lines[random_.below(std::size(bad_lines))]);
    if (random_.chance(0.4)) {
        line = "!";
        for (std::uint64_t octets = random_.below(600); octets > 0; --octets) {
            const char octet = static_cast<char>(random_.below(256));
            line += octet == '\n' ? '\r' : octet;
        }
    }
    say(What::bad, line);
}

/// What it says may be wrong in the state that the server is in by then.
void ChaosClient::say_something() {
    if (!is_logged_in_ && random_.chance(0.6)) return log_in();
    const std::uint32_t number = some_number();
    const std::string digits = " " + std::to_string(number);
    if (is_logged_in_ && !has_all_ids_ && random_.chance(0.4)) return say(What::uidl, "UIDL");
    switch (random_.below(24)) {
        case 0: return say_bad_line();
        case 1: return log_in();
        case 2: return say(What::stat, in_any_case("STAT", random_));
        case 3: return say(What::list, in_any_case("LIST ", random_));
        case 4: return say(What::uidl, in_any_case("UIDL", random_));
        case 5: return say(What::list_one, "LIST" + digits, number);
        case 6: return say(What::uidl_one, "UIDL" + digits, number);
        case 7: return say(What::top, "TOP" + digits + " 2", number);
        case 8: return say(What::rset, in_any_case("RSET", random_));
        case 9: return say(What::noop, in_any_case("NOOP", random_));
        case 10:
        case 11:
            // Who does not know what it has marked never quits.
            if (!said_marks_.empty() && !has_all_ids_) return say(What::uidl, "UIDL");
            return say(What::quit, in_any_case("QUIT", random_));
        case 12:
        case 13:
        case 14:
        case 15:
        case 16: return say(What::dele, in_any_case("DELE", random_) + digits, number);
        default: return say(What::retr, in_any_case("RETR", random_) + digits, number);
    }
}

bool ChaosClient::holds_maildrop() const {
    return is_logged_in_ && !has_quit_ && !has_finished_ && is_reading_ && !is_over_;
}

}  // namespace restante::sim
