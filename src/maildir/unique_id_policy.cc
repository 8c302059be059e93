#include "maildir/unique_id_policy.h"

#include <xxhash.h>

#include "pop3/types.h"

namespace restante {

namespace {

/// To be raised when the rules of derived ids or of the messages' order change: both are kept from
/// index to index as long as the policy is the same.
constexpr char rules_version = '1';

}  // namespace

std::uint64_t UniqueIdPolicy::hash() const {
    std::string text{rules_version, static_cast<char>('a' + static_cast<char>(mode))};
    if (reads_dovecot()) text += format.text();
    return XXH3_64bits(text.data(), text.size());
}

WantedIds::WantedIds(const UniqueIdPolicy& policy, const ForeignLists& lists) : policy_(policy) {
    if (policy.reads_dovecot()) lists_.dovecot = lists.dovecot;
    if (policy.reads_courier() && lists_.dovecot == nullptr) lists_.courier = lists.courier;
}

WantedId WantedIds::of(std::string_view base) {
    const std::string foreign = foreign_id(base);
    if (pop3::is_unique_id(foreign)) return {lasting(foreign, base), UniqueIdKind::foreign};
    const bool whole_name = policy_.mode == UniqueIdPolicy::Mode::filename;
    const std::string_view own =
        whole_name ? filename_unique_id(base, scratch_) : derived_unique_id(base, scratch_);
    return {lasting(own, base), UniqueIdKind::derived};
}

// Most ids are the beginning of the name: then nothing is copied.
std::string_view WantedIds::lasting(std::string_view id, std::string_view base) {
    if (base.starts_with(id)) return base.substr(0, id.size());
    return ids_.add(id);
}

// May be empty or no unique-id.
std::string WantedIds::foreign_id(std::string_view base) const {
    if (lists_.dovecot != nullptr || policy_.mode == UniqueIdPolicy::Mode::dovecot)
        return dovecot_id(base);
    if (lists_.courier == nullptr) return {};
    const SizelistEntry* listed = lists_.courier->find(base);
    return listed == nullptr ? std::string() : courier_unique_id(*listed);
}

std::string WantedIds::dovecot_id(std::string_view base) const {
    const UidlistEntry* listed = lists_.dovecot == nullptr ? nullptr : lists_.dovecot->find(base);
    if (listed != nullptr && listed->pop3_uid) {
        const std::string_view stored = listed->pop3_uid->empty() ? base : *listed->pop3_uid;
        if (pop3::is_unique_id(stored)) return std::string(stored);
    }
    UidlValues values;
    values.base = base;
    if (listed != nullptr) {
        values.uid = listed->uid;
        values.guid = listed->guid;
    } else if (policy_.format.needs_uid()) {
        return {};
    }
    if (policy_.format.needs_uidvalidity()) {
        if (lists_.dovecot == nullptr || !lists_.dovecot->uidvalidity()) return {};
        values.uidvalidity = *lists_.dovecot->uidvalidity();
    }
    return policy_.format.expand(values);
}

NumberKey WantedIds::number_key(std::string_view base) const {
    static constexpr std::uint8_t ordered = 0;
    static constexpr std::uint8_t listed_only = 1;
    static constexpr std::uint8_t unlisted = 2;
    if (lists_.courier != nullptr) {
        return {unlisted, 0, 0, ArrivalKey(base, ArrivalKey::Precision::seconds)};
    }
    const ArrivalKey arrival(base);
    const UidlistEntry* listed = lists_.dovecot == nullptr ? nullptr : lists_.dovecot->find(base);
    if (listed == nullptr) return {unlisted, 0, 0, arrival};
    if (listed->pop3_order) return {ordered, *listed->pop3_order, listed->uid, arrival};
    return {listed_only, listed->uid, listed->uid, arrival};
}

}  // namespace restante
