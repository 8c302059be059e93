#include "sim/mail_ledger.h"

#include <algorithm>
#include <set>

#include "maildir/maildir_name.h"
#include "sim/wire_reply.h"

namespace restante::sim {
namespace {

/// No name here is given twice at a time, so the name alone decides (unique_ids.h).
std::string unique_id_of(const std::string& base) {
    std::string scratch;
    return std::string(derived_unique_id(base, scratch));
}

}  // namespace

void MailLedger::fail(std::string what) {
    if (failure_.empty()) failure_ = std::move(what);
}

void MailLedger::deliver(const std::string& user, const std::string& base,
                         const std::string& octets) {
    world_.deliver(user, base, octets);
    mail_[user][unique_id_of(base)] = {base, octets, now_};
}

std::string MailLedger::path_of(const std::string& user, const std::string& base) {
    for (const char* part : {"/new/", "/cur/"}) {
        const std::string folder = World::maildrop(user) + part;
        for (const std::string& name : world_.files().list(folder)) {
            if (base_name(name) == base) return folder + name;
        }
    }
    return {};
}

void MailLedger::remove(const std::string& user, const std::string& base) {
    const std::string path = path_of(user, base);
    if (path.empty()) return;
    may_go(user, unique_id_of(base));
    world_.files().unlink(path);
}

void MailLedger::rename(const std::string& user, const std::string& base,
                        const std::string& flags) {
    const std::string path = path_of(user, base);
    if (path.empty()) return;
    world_.files().rename(path, World::maildrop(user) + "/cur/" + base + ":2," + flags);
}

MailLedger::Message* MailLedger::find(const std::string& user, const std::string& unique_id) {
    const auto found = mail_[user].find(unique_id);
    if (found != mail_[user].end()) return &found->second;
    fail("a unique-id that no message has: " + unique_id);
    return nullptr;
}

void MailLedger::may_go(const std::string& user, const std::string& unique_id) {
    if (Message* message = find(user, unique_id)) message->may_go = true;
}

void MailLedger::must_be_gone(const std::string& user, const std::string& unique_id) {
    Message* message = find(user, unique_id);
    if (message == nullptr) return;
    message->must_be_gone = true;
    if (!path_of(user, message->base).empty()) {
        fail("QUIT was +OK and a marked message is still there: " + unique_id);
    }
}

void MailLedger::check_listing(const std::string& user, const std::vector<std::string>& unique_ids,
                               Step asked, Step opened) {
    const std::set<std::string> listed(unique_ids.begin(), unique_ids.end());
    if (listed.size() != unique_ids.size()) fail("a unique-id twice in one session");
    for (const std::string& unique_id : listed) {
        const Message* message = find(user, unique_id);
        if (message == nullptr) return;
        if (message->gone < asked || message->delivered > opened) {
            fail("listed though it was not there: " + unique_id);
        }
    }
    for (const auto& [unique_id, message] : mail_[user]) {
        const bool was_there = message.delivered < asked && message.gone > opened;
        if (was_there && !listed.contains(unique_id)) fail("not listed: " + unique_id);
    }
}

void MailLedger::check_octets(const std::string& user, const std::string& unique_id,
                              const std::string& octets) {
    const Message* message = find(user, unique_id);
    if (message != nullptr && octets != wire_form(message->octets)) {
        fail("RETR ended with other octets than the file has: " + unique_id);
    }
}

void MailLedger::check_top(const std::string& user, const std::string& unique_id,
                           const std::string& octets) {
    const Message* message = find(user, unique_id);
    if (message != nullptr && !wire_form(message->octets).starts_with(octets)) {
        fail("TOP ended with other octets than the file has: " + unique_id);
    }
}

void MailLedger::observe() {
    ++now_;
    look(false);
}

void MailLedger::observe_after_crash() {
    ++now_;
    look(true);
}

void MailLedger::look(bool after_crash) {
    for (auto& [user, mail] : mail_) {
        const std::vector<std::string> names = world_.messages(user);
        for (auto& [unique_id, message] : mail) {
            const bool is_there = std::ranges::binary_search(names, message.base);
            if (is_there && message.must_be_gone) fail("it came back: " + unique_id);
            if (is_there && message.gone != never_yet && !after_crash) {
                fail("it came back without a crash: " + unique_id);
            }
            if (is_there) message.gone = never_yet;
            if (is_there || message.gone != never_yet) continue;
            message.gone = now_;
            if (!message.may_go) fail("removed though nobody marked it and quit: " + unique_id);
        }
    }
}

std::vector<std::string> MailLedger::present(const std::string& user) const {
    return world_.messages(user);
}

}  // namespace restante::sim
