#include <fmt/format.h>
#include <openssl/evp.h>
#include <xxhash.h>

#include <utility>

#include "base/base64.h"
#include "seed_text.h"
#include "session.h"

namespace pop3load {
namespace {

bool has_lines(const Command& command) {
    switch (command.verb) {
        case Verb::capa:
        case Verb::list:
        case Verb::uidl:
        case Verb::retr:
        case Verb::top: return true;
        default: return false;
    }
}

std::string apop_digest(std::string_view timestamp, std::string_view password) {
    const std::string text = std::string(timestamp) + std::string(password);
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int octets = 0;
    EVP_Digest(text.data(), text.size(), digest, &octets, EVP_md5(), nullptr);
    std::string hex;
    for (unsigned int i = 0; i < octets; ++i) hex += fmt::format("{:02x}", digest[i]);
    return hex;
}

}  // namespace

std::string wire_command(const Command& command, std::string_view user, std::string_view password,
                         std::string_view timestamp, std::uint32_t top_lines) {
    switch (command.verb) {
        case Verb::capa: return "CAPA\r\n";
        case Verb::stls: return "STLS\r\n";
        case Verb::user: return fmt::format("USER {}\r\n", user);
        case Verb::pass: return fmt::format("PASS {}\r\n", password);
        case Verb::apop:
            return fmt::format("APOP {} {}\r\n", user, apop_digest(timestamp, password));
        case Verb::auth_plain: {
            using namespace std::string_literals;
            const std::string plain = "\0"s + std::string(user) + "\0"s + std::string(password);
            return fmt::format("AUTH PLAIN {}\r\n", restante::base64_encode(plain));
        }
        case Verb::stat: return "STAT\r\n";
        case Verb::list: return "LIST\r\n";
        case Verb::uidl: return "UIDL\r\n";
        case Verb::retr: return fmt::format("RETR {}\r\n", command.message);
        case Verb::top: return fmt::format("TOP {} {}\r\n", command.message, top_lines);
        case Verb::dele: return fmt::format("DELE {}\r\n", command.message);
        case Verb::noop: return "NOOP\r\n";
        case Verb::quit: return "QUIT\r\n";
    }
    return "NOOP\r\n";
}

std::string_view apop_timestamp(std::string_view greeting) {
    const std::size_t first = greeting.find('<');
    const std::size_t last = greeting.find('>', first);
    if (first == std::string_view::npos || last == std::string_view::npos) return {};
    return greeting.substr(first, last - first + 1);
}

/// The reader gets ready for the answer that is due next.
void Session::begin_answer() {
    const Command& command = expected_.front().command;
    const bool is_greeting = expected_.front().step == Step::greeting;
    const bool is_listing = command.verb == Verb::list || command.verb == Verb::uidl;
    is_verified_ = command.verb == Verb::retr && random_.unit() < service_.options.verify_share;
    has_first_octet_ = false;
    reader_.begin(
        !is_greeting && has_lines(command) ? AnswerReader::Shape::multi_line
                                           : AnswerReader::Shape::single,
        is_listing || is_verified_ ? AnswerReader::Content::collect : AnswerReader::Content::count);
}

bool Session::take(std::string_view arrived, Instant now) {
    while (!arrived.empty()) {
        if (expected_.empty()) {
            fail(Fault::malformed_answer,
                 fmt::format("an answer to no command (user {})", service_.users.name(start_.user)),
                 now);
            return false;
        }
        const AnswerReader::State state = reader_.feed(arrived);
        const Expected& expected = expected_.front();
        if (expected.command.verb == Verb::retr && !has_first_octet_ &&
            reader_.has_content_begun()) {
            has_first_octet_ = true;
            service_.recorder.step(Step::retr_first, expected.intended, expected.begun, now);
        }
        if (state == AnswerReader::State::malformed) {
            fail(Fault::malformed_answer,
                 fmt::format("{} {}", reader_.complaint(), where(expected)), now);
            return false;
        }
        if (state == AnswerReader::State::complete && !answered(now)) return false;
        if (stage_ == Stage::handshake) return true;
    }
    return true;
}

/// The answer that was due is whole. False: the session ended with it.
bool Session::answered(Instant now) {
    const Expected expected = expected_.front();
    const std::optional<Finding> finding = check(expected, now);
    if (finding) {
        fail(finding->fault, fmt::format("{} {}", finding->what, where(expected)), now);
        return false;
    }
    const bool is_first_of_two = expected.command.verb == Verb::user;
    if (!is_first_of_two && expected.command.verb != Verb::stls)
        service_.recorder.step(expected.step, expected.intended, expected.begun, now);
    if (expected.command.verb == Verb::retr)
        service_.recorder.message(expected.intended, reader_.octets(), now);
    expected_.pop_front();
    if (!expected_.empty()) begin_answer();
    due_ = now;
    if (expected.command.verb == Verb::quit) {
        end(now);
        return false;
    }
    if (expected.step == Step::greeting && is_tls_wanted_) {
        step_begun_ = now;
        queue({Verb::stls}, now);
        return flush(now) != Want::ended;
    }
    if (expected.command.verb == Verb::stls) begin_tls();
    return true;
}

/// "(RETR 3 of user7)", for who reads of a fault.
std::string Session::where(const Expected& expected) const {
    if (expected.step == Step::greeting) return "(greeting)";
    std::string command = wire_command(expected.command, "", "", "", service_.options.top_lines);
    const bool is_login = expected.step == Step::auth;
    command.resize(is_login ? command.find(' ') : command.find('\r'));
    return fmt::format("({} of {})", command, service_.users.name(start_.user));
}

/// What is wrong with the answer, if anything is.
std::optional<Finding> Session::check(const Expected& expected, Instant now) {
    const std::string_view status = reader_.status();
    if (expected.step == Step::greeting) return check_greeting();
    const Verb verb = expected.command.verb;
    if (expected.step == Step::auth) return check_login(expected);
    if (verb == Verb::quit) {
        settle_removals(reader_.is_ok());
        removals_.clear();
    }
    if (verb == Verb::capa) return std::nullopt;  // an extension: -ERR is an answer
    if (!reader_.is_ok())
        return Finding{Fault::command_refused,
                       fmt::format("{}: {}", name_of(expected.step), status)};
    switch (verb) {
        case Verb::stat: return check_stat();
        case Verb::list:
        case Verb::uidl: return check_listing(verb);
        case Verb::retr: return check_message(expected.command, now);
        case Verb::top: return check_top(expected.command);
        case Verb::dele:
            if (expected.command.message <= messages_.size())
                removals_.push_back(messages_[expected.command.message - 1].id_hash);
            return std::nullopt;
        default: return std::nullopt;
    }
}

std::optional<Finding> Session::check_greeting() {
    const std::string_view status = reader_.status();
    timestamp_ = apop_timestamp(status);
    if (!reader_.is_ok())
        return Finding{Fault::command_refused, "greeting: " + std::string(status)};
    if (service_.options.login != LoginMethod::apop || !timestamp_.empty()) return std::nullopt;
    return Finding{Fault::no_apop, "the server offers no APOP, its greeting has no timestamp: " +
                                       std::string(status)};
}

std::optional<Finding> Session::check_login(const Expected& expected) {
    const bool is_last = expected.command.verb != Verb::user;
    if (!is_last && reader_.is_ok()) return std::nullopt;
    if (reader_.is_ok()) {
        if (!is_password_wrong_) return std::nullopt;
        return Finding{Fault::wrong_password_accepted, "+OK to a wrong password"};
    }
    if (!is_password_wrong_) return Finding{Fault::login_refused, std::string(reader_.status())};
    script_.leave();
    return std::nullopt;
}

std::optional<Finding> Session::check_stat() {
    stat_ = read_stat(reader_.status());
    if (!stat_)
        return Finding{Fault::malformed_answer, "no two numbers: " + std::string(reader_.status())};
    return service_.ledgers.of(start_.user).check_count(stat_->count);
}

std::optional<Finding> Session::check_listing(Verb verb) {
    const auto read = verb == Verb::list ? read_list : read_uidl;
    const std::expected<void, Finding> listed = read(reader_.content(), messages_);
    if (!listed) return listed.error();
    if (stat_ && messages_.size() != stat_->count)
        return Finding{Fault::wrong_count, fmt::format("STAT says {} messages, a listing {}",
                                                       stat_->count, messages_.size())};
    if (verb == Verb::uidl) {
        std::optional<Finding> finding = service_.ledgers.of(start_.user).check(messages_);
        note_new_messages();
        return finding;
    }
    if (!stat_) return service_.ledgers.of(start_.user).check_count(messages_.size());
    std::uint64_t octets = 0;
    for (const Listed& message : messages_) octets += message.octets;
    if (stat_->octets == octets) return std::nullopt;
    return Finding{Fault::wrong_octets,
                   fmt::format("STAT says {} octets, LIST adds up to {}", stat_->octets, octets)};
}

/// For leave-on-server: what is new to the ledger is fetched. Where there is nothing, or all of it
/// because a user's first session only begins the ledger, the last message stands in a share of the
/// sessions for one that has come.
void Session::note_new_messages() {
    std::uint32_t number = 0;
    for (const Listed& message : messages_) {
        ++number;
        if (message.is_new) new_messages_.push_back(number);
    }
    const bool is_first_session = new_messages_.size() == messages_.size();
    if (is_first_session) new_messages_.clear();
    if (!new_messages_.empty() || messages_.empty()) return;
    if (random_.unit() < service_.options.new_share) new_messages_ = {number};
}

std::optional<Finding> Session::check_message(const Command& command, Instant now) {
    const bool is_listed = command.message <= messages_.size();
    const Listed listed = is_listed ? messages_[command.message - 1] : Listed{};
    if (is_listed && listed.octets != reader_.octets())
        return Finding{Fault::wrong_octets, fmt::format("LIST says {} octets, RETR sent {}",
                                                        listed.octets, reader_.octets())};
    return is_verified_ ? verify(reader_.content(), listed.id_hash, now) : std::nullopt;
}

/// Of a message that has no body a server may add the empty line that TOP ends the headers with.
std::optional<Finding> Session::check_top(const Command& command) {
    constexpr std::uint64_t empty_line_octets = 2;
    if (command.message > messages_.size()) return std::nullopt;
    const std::uint64_t octets = messages_[command.message - 1].octets;
    if (reader_.octets() <= octets + empty_line_octets) return std::nullopt;
    return Finding{Fault::wrong_octets,
                   fmt::format("LIST says {} octets, TOP sent {}", octets, reader_.octets())};
}

std::optional<Finding> Session::verify(std::string_view message, std::uint64_t id_hash,
                                       Instant now) {
    const auto wrong = [&message](std::string_view why) {
        return Finding{Fault::wrong_content,
                       fmt::format("a message of {} octets: {}", message.size(), why)};
    };
    const MarkVerdict verdict = judge_by_mark(message, service_.users.name(start_.user));
    service_.recorder.body_looked_at(verdict.is_marked, now);
    if (!verdict.wrong.empty()) return wrong(verdict.wrong);
    if (!verdict.is_marked && service_.options.verify_strictly)
        return wrong("it has no mark of pop3load seed, which --verify all demands");
    if (id_hash == 0) return std::nullopt;  // UIDL was not asked
    const std::uint64_t content = XXH3_64bits(message.data(), message.size());
    return service_.ledgers.of(start_.user).check_content(id_hash, content);
}

void Session::settle_removals(bool is_acknowledged) {
    if (removals_.empty()) return;
    Ledger& ledger = service_.ledgers.of(start_.user);
    for (const std::uint64_t id_hash : removals_) {
        if (is_acknowledged) {
            ledger.removed(id_hash);
        } else {
            ledger.forget(id_hash);
        }
    }
}

}  // namespace pop3load
