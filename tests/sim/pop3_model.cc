#include "sim/pop3_model.h"

#include <utility>

namespace restante::sim {
namespace {

const Expected accepted{};
const Expected refused{.status = Expected::Status::refusal};
const Expected challenged{.status = Expected::Status::challenge};
const Expected unknown{.status = Expected::Status::either};

}  // namespace

bool Expected::holds_of(const WireReply& reply) const {
    if (status == Status::challenge) return reply.status.starts_with("+ ");
    if (status != Status::either && reply.is_ok() != (status == Status::ok)) return false;
    if (!reply.is_ok()) return reply.status.starts_with("-ERR");
    if (!status_line.empty() && reply.status != status_line) return false;
    return !text || reply.text == *text;
}

Expected Pop3Model::expect(const Said& said) const {
    if (said.word == Word::greeting) return accepted;
    if (said.word == Word::bad) return refused;
    if (!is_open_) return expect_before_login(said.word);
    switch (said.word) {
        case Word::capa:
        case Word::noop:
        case Word::rset:
        case Word::quit: return accepted;
        case Word::stat: return expect_stat();
        case Word::list:
        case Word::uidl: return expect_listing(said.word);
        case Word::list_one:
        case Word::uidl_one:
        case Word::retr:
        case Word::top:
        case Word::dele: return expect_of_message(said);
        default: return refused;
    }
}

Expected Pop3Model::expect_before_login(Word word) const {
    switch (word) {
        case Word::user:
        case Word::capa:
        case Word::auth_list:
        case Word::quit: return accepted;
        case Word::stls: return offers_stls_ ? accepted : refused;
        case Word::auth_start: return challenged;
        case Word::right_password: return has_user_ ? accepted : refused;
        case Word::auth_response: return is_in_exchange_ ? accepted : refused;
        default: return refused;
    }
}

bool Pop3Model::may_exist(std::uint32_t number) const {
    return number > 0 && !marks_.contains(number) && (!mail_ || number <= mail_->size());
}

Expected Pop3Model::expect_of_message(const Said& said) const {
    if (!may_exist(said.number)) return refused;
    if (!mail_) return unknown;
    const Message& message = (*mail_)[said.number - 1];
    const std::string octets = std::to_string(message.octets);
    const std::string number = "+OK " + std::to_string(said.number) + " ";
    switch (said.word) {
        case Word::list_one: return {.status_line = number + octets};
        case Word::uidl_one: return {.status_line = number + message.unique_id};
        case Word::retr: return {.status_line = "+OK " + octets + " octets", .text = message.text};
        case Word::top: return {.text = top_of(message.text, said.lines)};
        default: return accepted;
    }
}

Expected Pop3Model::expect_listing(Word word) const {
    if (!mail_) return accepted;
    std::string lines;
    for (std::uint32_t number = 1; number <= mail_->size(); ++number) {
        if (marks_.contains(number)) continue;
        const Message& message = (*mail_)[number - 1];
        lines += std::to_string(number) + " ";
        lines += word == Word::list ? std::to_string(message.octets) : message.unique_id;
        lines += "\r\n";
    }
    return {.text = lines};
}

Expected Pop3Model::expect_stat() const {
    if (!mail_) return accepted;
    std::uint64_t octets = 0;
    for (std::uint32_t number = 1; number <= mail_->size(); ++number) {
        if (!marks_.contains(number)) octets += (*mail_)[number - 1].octets;
    }
    return {.status_line = "+OK " + std::to_string(mail_->size() - marks_.size()) + " " +
                           std::to_string(octets)};
}

void Pop3Model::note(const Said& said, const WireReply& reply) {
    const bool is_ok = reply.is_ok();
    if (is_login(said.word) && is_ok) is_open_ = true;
    if (is_open_ && said.word == Word::dele && is_ok) marks_.insert(said.number);
    if (is_open_ && said.word == Word::rset) marks_.clear();
    if (said.word == Word::stls && is_ok) offers_stls_ = false;
    has_user_ = said.word == Word::user;
    is_in_exchange_ = said.word == Word::auth_start && reply.status.starts_with("+ ");
}

std::string top_of(const std::string& text, std::uint64_t lines) {
    std::size_t end = text.starts_with("\r\n") ? 0 : text.find("\r\n\r\n");
    if (end == std::string::npos) return text;
    end += end == 0 ? 2 : 4;
    for (; lines > 0 && end < text.size(); --lines) end = text.find("\r\n", end) + 2;
    return text.substr(0, end);
}

}  // namespace restante::sim
