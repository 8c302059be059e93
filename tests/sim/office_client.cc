#include "sim/office_client.h"

#include <algorithm>

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

/// Of many hosts: what is counted by address is another test's.
std::string some_address(SimRandom& random) {
    return "198.51." + std::to_string(random.below(250)) + "." + std::to_string(random.below(250)) +
           ":40000";
}

}  // namespace

Deeds& Deeds::operator+=(const Deeds& other) {
    replies += other.replies;
    logins += other.logins;
    fetched += other.fetched;
    removed += other.removed;
    refused += other.refused;
    broken += other.broken;
    crashes += other.crashes;
    secured += other.secured;
    resumed += other.resumed;
    attacked += other.attacked;
    return *this;
}

OfficeClient::OfficeClient(const Office& office, std::string user)
    : office_(office),
      user_(std::move(user)),
      is_tls_first_(office.certificates != nullptr && office.random.chance(0.35)),
      certificate_moment_(office.certificates == nullptr ? 0 : office.certificates->now()),
      wire_(is_tls_first_ ? office.world.connect_to_tls(some_address(office.random))
                          : office.world.connect(some_address(office.random)),
            office.random),
      model_(office.certificates != nullptr && !is_tls_first_),
      is_excused_(office.scenario.may_give_up()),
      connected_(office.world.ring().now()) {
    awaiting_.push_back({{Word::greeting}});
    if (is_tls_first_) wire_.secure("", office_.kept);
    const TroubleSet& trouble = office_.scenario.trouble;
    if (!trouble.has(Trouble::resets) || !office_.random.chance(0.1)) return;
    wire_.client().reset_after(1 + office_.random.below(1 << office_.random.below(14)));
}

void OfficeClient::act() {
    if (is_over_) return;
    be_troubled();
    be_attacked();
    const std::uint64_t dice = office_.random.below(100);
    if (has_finished_) {
        if (dice >= 90) misbehave();
    } else if (dice < 78) {
        for (std::uint64_t count = 1 + office_.random.below(4); count > 0; --count) say_something();
        send(some_octets(), office_.scenario.has(Trouble::manners));
    } else if (dice < 88) {
        send(outbox_.size());
    } else if (office_.scenario.trouble.has(Trouble::manners)) {
        misbehave();
    }
}

/// All of what it has to say, most often; or up to anywhere, or the line's end is missing.
std::size_t OfficeClient::some_octets() {
    SimRandom& random = office_.random;
    const std::size_t all = outbox_.size();
    if (random.chance(0.7)) return all;
    if (random.coin()) return static_cast<std::size_t>(random.below(all + 1));
    return all - std::min<std::size_t>(all, 1 + random.below(2));
}

void OfficeClient::misbehave() {
    const std::uint64_t dice = office_.random.below(12);
    if (dice < 4) {
        is_reading_ = !is_reading_;
        return is_reading_ ? wire_.client().resume_reading() : wire_.client().stop_reading();
    }
    if (dice < 6 && !has_finished_) {
        has_finished_ = is_excused_ = true;
        wire_.finish(office_.random.coin());
        return note_sent();
    }
    if (dice < 9) return;
    is_over_ = true;
    if (dice == 9) return wire_.client().reset();
    wire_.client().close();
}

/// By somebody on the way: of TLS, since nothing else withstands it.
void OfficeClient::be_attacked() {
    if (!office_.scenario.has(Trouble::attackers) || !wire_.is_secure()) return;
    if (!wire_.is_open() || wire_.is_attacked() || has_finished_) return;
    if (!office_.random.chance(0.03)) return;
    ++office_.deeds.attacked;
    is_excused_ = true;
    wire_.tamper(static_cast<Tampering>(office_.random.below(tamperings)));
}

/// Nothing passes for a moment, or for minutes.
void OfficeClient::be_troubled() {
    if (!office_.scenario.trouble.has(Trouble::splits)) return;
    const Instant now = office_.world.ring().now();
    if (split_until_ > now) return;
    if (split_until_ != Instant()) wire_.client().heal();
    split_until_ = Instant();
    if (!office_.random.chance(0.05)) return;
    wire_.client().split();
    split_until_ = now + std::chrono::microseconds(1 << office_.random.below(28));
}

void OfficeClient::behave() {
    if (is_over_) return;
    wire_.client().heal();
    if (!is_reading_) wire_.client().resume_reading();
    is_reading_ = true;
    if (!has_finished_) send(outbox_.size());
}

void OfficeClient::leave() {
    if (!is_over_) wire_.client().close();
    is_over_ = true;
}

void OfficeClient::list_everything() {
    say({Word::user}, "USER " + user_);
    say({Word::right_password}, "PASS " + std::string(office_password));
    say({Word::uidl}, "UIDL");
    say({Word::list}, "LIST");
    say({Word::stat}, "STAT");
    send(outbox_.size());
}

void OfficeClient::fetch_everything() {
    if (!model_.knows_mail()) return fail(Invariant::answered, "not let in to an idle maildrop");
    for (std::uint32_t number = 1; number <= model_.mail().size(); ++number) {
        const std::string digits = std::to_string(number);
        say({Word::retr, number}, "RETR " + digits);
        say({Word::top, number, number}, "TOP " + digits + " " + digits);
    }
    send(outbox_.size());
}

void OfficeClient::say(const Said& said, std::string line) {
    line += office_.random.chance(0.9) ? "\r\n" : "\n";
    said_octets_ += line.size();
    const bool is_flood = line.size() > flood_octets;
    outbox_ += line;
    unsent_.push_back({said, said_octets_, {}, 0, is_flood});
    if (said.word == Word::dele) said_marks_.insert(said.number);
    if (said.word == Word::rset) said_marks_.clear();
    if (is_flood) is_excused_ = true;  // closed before its end
    if (said.word == Word::quit) unsent_.back().marks = said_marks_;
}

void OfficeClient::say_stls() {
    say({Word::stls}, in_any_case("STLS", office_.random));
    has_said_stls_ = true;
    stls_end_ = said_octets_;
}

void OfficeClient::send(std::size_t octets, bool hold) {
    if (!wire_.is_open()) return;
    octets = std::min<std::uint64_t>(octets, stls_end_ - sent_octets_);
    hold = hold && wire_.is_secure() && office_.random.chance(0.15);
    wire_.send(std::string_view(outbox_).substr(0, octets), hold);
    outbox_.erase(0, octets);
    sent_octets_ += octets;
    note_sent();
    if (sent_octets_ != stls_end_ || !is_injection_due()) return;
    static constexpr std::string_view injected[] = {
        "NOOP\r\n", "CAPA\r\nAUTH\r\n", "USER mallory\r\nPASS of mallory\r\n", "Q", "QUIT\r\n"};
    is_injected_ = is_excused_ = true;
    ++office_.deeds.attacked;
    wire_.inject(injected[office_.random.below(std::size(injected))]);
}

/// Behind STLS, where it is sure that the server will obey it: elsewhere it is plain text, in which
/// all is lost.
bool OfficeClient::is_injection_due() {
    if (!office_.scenario.has(Trouble::attackers) || is_injected_ || model_.is_open()) return false;
    const bool is_sure = std::ranges::all_of(awaiting_, [](const Line& line) {
        const Word word = line.said.word;
        return word == Word::greeting || word == Word::capa || word == Word::stls;
    });
    return is_sure && office_.random.chance(0.4);
}

/// What the server has whole, as far as the network lets it.
void OfficeClient::note_sent() {
    while (!unsent_.empty() && unsent_.front().end <= wire_.sent_octets()) {
        on_sent(unsent_.front());
        unsent_.front().sent = office_.mail.now();
        awaiting_.push_back(std::move(unsent_.front()));
        unsent_.pop_front();
    }
}

void OfficeClient::on_sent(const Line& line) {
    const Word word = line.said.word;
    const bool is_proper = model_.is_open() ? word >= Word::capa && word < Word::bad
                                            : word <= Word::capa && !has_said_password_;
    if (!is_proper && ++bad_lines_ >= bad_lines_max) is_excused_ = true;
    if (is_login(word) && !has_said_password_) asked_ = office_.mail.now();
    has_said_password_ = has_said_password_ || is_login(word);
    if (word != Word::quit) return;
    has_quit_ = is_excused_ = true;
    if (!model_.knows_mail()) return;
    for (const std::uint32_t number : line.marks) {
        if (number == 0 || number > model_.mail().size()) continue;
        office_.mail.may_go(user_, model_.mail()[number - 1].unique_id);
    }
}

std::uint32_t OfficeClient::some_number() {
    const std::uint64_t highest = model_.knows_mail() ? model_.mail().size() : 6;
    return static_cast<std::uint32_t>(office_.random.below(highest + 2));
}

void OfficeClient::log_in() {
    SimRandom& random = office_.random;
    const bool offers_stls = office_.certificates != nullptr && !is_tls_first_;
    if (offers_stls && !has_said_stls_ && random.chance(0.4)) return say_stls();
    const std::string right = '\0' + user_ + '\0' + std::string(office_password);
    switch (random.below(9)) {
        case 0: return say({Word::capa}, in_any_case("CAPA", random));
        case 1: return say({Word::auth_list}, in_any_case("AUTH", random));
        case 2:
            say({Word::auth_start}, "AUTH PLAIN");
            return say({Word::auth_response}, base64_encode(right));
        case 3:
            if (!office_.scenario.trouble.has(Trouble::manners)) return;
            say({Word::user}, "USER " + user_);
            return say({Word::wrong_password}, "PASS not " + std::string(office_password));
        default:
            say({Word::user}, in_any_case("USER ", random) + user_);
            return say({Word::right_password},
                       in_any_case("PASS ", random) + std::string(office_password));
    }
}

void OfficeClient::say_bad_line() {
    SimRandom& random = office_.random;
    if (!office_.scenario.trouble.has(Trouble::manners)) return;
    if (random.chance(0.02)) return say({Word::bad}, std::string(flood_octets, 'f'));
    static constexpr std::string_view bad_lines[] = {
        "", "XYZZY", "RETR", "DELE 1 2 3", "STAT now", "\x01", "TOP 1", " NOOP", "QUITE", "NOOP\t"};
    std::string line(bad_lines[random.below(std::size(bad_lines))]);
    if (random.chance(0.4)) {
        line = "!";
        for (std::uint64_t octets = random.below(600); octets > 0; --octets) {
            const char octet = static_cast<char>(random.below(256));
            line += octet == '\n' ? '\r' : octet;
        }
    }
    say({Word::bad}, line);
}

/// What it says may be wrong in the state that the server is in by then.
void OfficeClient::say_something() {
    SimRandom& random = office_.random;
    if (!model_.is_open() && random.chance(0.7)) return log_in();
    // What is marked has to be known by its unique-id: the model learns the mail first.
    if (!model_.knows_mail()) {
        if (!random.chance(0.3)) return say({Word::uidl}, in_any_case("UIDL", random));
        const std::uint32_t number = some_number();
        if (random.coin()) return say({Word::stat}, "STAT");
        return say({Word::retr, number}, "RETR " + std::to_string(number));
    }
    say_after_login();
}

void OfficeClient::say_after_login() {
    SimRandom& random = office_.random;
    if (!said_marks_.empty() && random.chance(0.12))
        return say({Word::quit}, in_any_case("QUIT", random));
    switch (random.below(24)) {
        case 0: return say_bad_line();
        case 1: return log_in();
        case 2:
        case 3: return say({Word::stat}, in_any_case("STAT", random));
        case 4: return say({Word::list}, in_any_case("LIST ", random));
        case 5: return say({Word::uidl}, in_any_case("UIDL", random));
        case 6: return say({Word::rset}, in_any_case("RSET", random));
        case 7: return say({Word::noop}, in_any_case("NOOP", random));
        case 8: return say({Word::capa}, in_any_case("CAPA", random));
        case 9:
        case 10: return say({Word::quit}, in_any_case("QUIT", random));
        default: return say_of_message();
    }
}

void OfficeClient::say_of_message() {
    SimRandom& random = office_.random;
    const std::uint32_t number = some_number();
    const std::string digits = " " + std::to_string(number);
    const std::uint64_t lines = random.below(random.coin() ? 4 : 400);
    switch (random.below(12)) {
        case 0: return say({Word::list_one, number}, "LIST" + digits);
        case 1: return say({Word::uidl_one, number}, "UIDL" + digits);
        case 2:
        case 3:
            return say({Word::top, number, lines}, "TOP" + digits + " " + std::to_string(lines));
        case 4:
        case 5:
        case 6:
        case 7: return say({Word::dele, number}, in_any_case("DELE", random) + digits);
        default: return say({Word::retr, number}, in_any_case("RETR", random) + digits);
    }
}

std::vector<std::string> OfficeClient::marked() const {
    std::vector<std::string> bases;
    for (const std::uint32_t number : model_.marks()) {
        const std::string& unique_id = model_.mail()[number - 1].unique_id;
        bases.push_back(office_.mail.find(user_, unique_id)->base);
    }
    return bases;
}

bool OfficeClient::holds_maildrop() const {
    const bool may_be_sent_away = bad_lines_ >= bad_lines_max;  // and not have read it yet
    return model_.is_open() && !has_quit_ && !has_finished_ && !may_be_sent_away && is_reading_ &&
           !is_over_ && split_until_ == Instant();
}

}  // namespace restante::sim
