#include "sim/mail_model.h"

#include <algorithm>
#include <utility>

#include "maildir/maildir_name.h"
#include "sim/wire_reply.h"

namespace restante::sim {
namespace {

/// No name here is given twice, so the name alone decides (unique_ids.h).
std::string unique_id_of(const std::string& base) {
    std::string scratch;
    return std::string(derived_unique_id(base, scratch));
}

}  // namespace

// As most MTAs do it: written to tmp/, linked into new/, then unlinked, which is due when the next
// message comes at the latest.
void MailModel::deliver(const std::string& user, const Delivery& delivery) {
    const std::string& base = delivery.base;
    SimFileSystem& files = world_.files();
    const std::string maildrop = World::maildrop(user);
    for (const char* folder : {"/new", "/cur", "/tmp"}) files.make_directory(maildrop + folder);
    files.write_file(maildrop + "/tmp/" + base, SimContent(delivery.octets));
    finish_delivery();
    files.add_name(maildrop + "/tmp/" + base, maildrop + "/new/" + base);
    being_delivered_ = maildrop + "/tmp/" + base;
    if (now_ % 2 == 0) finish_delivery();
    Message& message = mail_[user][delivery.unique_id.value_or(unique_id_of(base))];
    message = {base, wire_form(delivery.octets), delivery.octets.size(), now_};
    message.copies.push_back({file_of(user, base), now_});
    touched_[user] = now_;
}

void MailModel::finish_delivery() {
    const std::string path = std::exchange(being_delivered_, {});
    if (!path.empty() && world_.files().exists(path)) world_.files().unlink(path);
}

std::string MailModel::path_of(const std::string& user, const std::string& base) {
    for (const char* part : {"/new/", "/cur/"}) {
        const std::string folder = World::maildrop(user) + part;
        if (!world_.files().exists(folder)) continue;
        for (const std::string& name : world_.files().list(folder)) {
            if (base_name(name) == base) return folder + name;
        }
    }
    return {};
}

InodeRef MailModel::file_of(const std::string& user, const std::string& base) {
    const std::string path = path_of(user, base);
    return path.empty() ? nullptr : world_.files().find(path);
}

void MailModel::remove(const std::string& user, const std::string& base) {
    const std::string path = path_of(user, base);
    if (path.empty()) return;
    for (auto& [unique_id, message] : mail_[user]) {
        if (message.base == base) message.may_go = now_;
    }
    world_.files().unlink(path);
    touched_[user] = now_;
}

void MailModel::rename(const std::string& user, const std::string& base, const std::string& flags) {
    const std::string path = path_of(user, base);
    const std::string target = World::maildrop(user) + "/cur/" + base + ":2," + flags;
    if (path.empty() || path == target) return;
    world_.files().rename(path, target);
    for (auto& [unique_id, message] : mail_[user]) {
        if (message.base == base) message.renamed.push_back(now_);
    }
    touched_[user] = now_;
}

// As who changes, packs or restores messages does it.
void MailModel::replace(const std::string& user, const std::string& base) {
    const std::string path = path_of(user, base);
    if (path.empty()) return;
    SimFileSystem& files = world_.files();
    const std::string copy = World::maildrop(user) + "/tmp/" + base;
    files.write_file(copy, files.read_file(path));
    files.rename(copy, path);
    for (auto& [unique_id, message] : mail_[user]) {
        if (message.base == base) message.copies.push_back({files.find(path), now_});
    }
    touched_[user] = now_;
}

bool MailModel::is_touched_since(const std::string& user, Step since) const {
    const auto found = touched_.find(user);
    return crashed_ >= since || (found != touched_.end() && found->second >= since);
}

bool MailModel::is_elusive(const Message& message, Step since) {
    constexpr std::ptrdiff_t searches = 4;
    return message.renamed.end() - std::ranges::lower_bound(message.renamed, since) >= searches;
}

bool MailModel::may_be_missed(const Message& message, Step asked, Step since) {
    const bool is_another = message.copies.size() > 1 && message.copies.back().made >= asked;
    return message.gone != never_yet || is_another || is_elusive(message, since);
}

MailModel::Message* MailModel::find_mutable(const std::string& user, const std::string& unique_id) {
    const auto found = mail_[user].find(unique_id);
    if (found != mail_[user].end()) return &found->second;
    verdicts_.fail(Invariant::unique_ids_lasting, "no message of " + user + " has " + unique_id);
    return nullptr;
}

const MailModel::Message* MailModel::find(const std::string& user, const std::string& unique_id) {
    return find_mutable(user, unique_id);
}

void MailModel::may_go(const std::string& user, const std::string& unique_id) {
    if (Message* message = find_mutable(user, unique_id)) message->may_go = now_;
}

void MailModel::note_let_in(const std::string& user, Step asked) {
    for (auto& [unique_id, message] : mail_[user]) {
        const bool was_asked_before = message.may_go < asked;
        if (was_asked_before && !path_of(user, message.base).empty()) message.may_go = never_yet;
    }
}

void MailModel::must_be_gone(const std::string& user, const std::string& unique_id, Step asked,
                             Step opened) {
    Message* message = find_mutable(user, unique_id);
    if (message == nullptr) return;
    const auto after = std::ranges::upper_bound(message->copies, opened, {}, &Copy::made);
    if (after == message->copies.begin()) return;
    const auto known = std::prev(after);
    const bool may_be_former = known != message->copies.begin() && known->made >= asked;
    if (may_be_former) return;
    message->removed.push_back(known->file);
    if (is_back(user, *message))
        verdicts_.fail(Invariant::removals_are_final,
                       "QUIT was +OK and it is still there: " + unique_id);
}

/// A file that was acknowledged as removed; another one may have its name.
bool MailModel::is_back(const std::string& user, const Message& message) {
    if (message.removed.empty()) return false;
    const InodeRef file = file_of(user, message.base);
    return file != nullptr && std::ranges::any_of(message.removed, [&file](const SimFile& removed) {
               return removed.lock() == file;
           });
}

void MailModel::check_listing(const std::string& user, const std::vector<std::string>& unique_ids,
                              Step asked, Step opened) {
    const std::set<std::string> listed(unique_ids.begin(), unique_ids.end());
    if (listed.size() != unique_ids.size())
        verdicts_.fail(Invariant::unique_ids_lasting, "a unique-id twice in one session");
    for (const std::string& unique_id : listed) {
        const Message* message = find(user, unique_id);
        if (message == nullptr) return;
        if (message->gone < asked || message->delivered > opened)
            verdicts_.fail(Invariant::listing_complete, "listed, and was not there: " + unique_id);
    }
    for (const auto& [unique_id, message] : mail_[user]) {
        const bool was_there = message.delivered < asked && message.gone > opened;
        if (was_there && !listed.contains(unique_id))
            verdicts_.fail(Invariant::listing_complete, "not listed: " + unique_id);
    }
}

void MailModel::observe(const std::set<std::string>& users) {
    ++now_;
    for (const std::string& user : users) look(user, mail_[user], Moment::ordinary);
}

void MailModel::observe_all() {
    ++now_;
    for (auto& [user, mail] : mail_) look(user, mail, Moment::ordinary);
}

void MailModel::observe_after_crash(bool keeps_promises) {
    crashed_ = ++now_;
    const Moment moment = keeps_promises ? Moment::after_crash : Moment::after_broken_promises;
    for (auto& [user, mail] : mail_) look(user, mail, moment);
}

void MailModel::look(const std::string& user, Mail& mail, Moment moment) {
    const std::vector<std::string> names = world_.messages(user);
    for (auto& [unique_id, message] : mail) {
        const bool is_there = std::ranges::binary_search(names, message.base);
        if (is_there && moment == Moment::after_broken_promises) message.removed.clear();
        if (is_there && is_back(user, message))
            verdicts_.fail(Invariant::removals_are_final, "it came back: " + unique_id);
        const bool may_be_another = moment != Moment::ordinary && message.copies.size() > 1;
        if (is_there && may_be_another)
            message.copies.push_back({file_of(user, message.base), now_});
        look_at(message, unique_id, is_there, moment);
    }
}

void MailModel::look_at(Message& message, const std::string& unique_id, bool is_there,
                        Moment moment) {
    if (is_there && message.gone != never_yet && moment == Moment::ordinary)
        verdicts_.fail(Invariant::removals_are_final, "it came back without a crash: " + unique_id);
    // Whoever might have removed it is gone: that needs a new QUIT.
    if (is_there && moment != Moment::ordinary) message.may_go = never_yet;
    if (is_there) message.gone = never_yet;
    if (is_there || message.gone != never_yet) return;
    message.gone = now_;
    if (message.may_go == never_yet)
        verdicts_.fail(Invariant::only_marked_removed, "nobody marked it and quit: " + unique_id);
}

}  // namespace restante::sim
