// A dovecot-uidlist of any octets: uids ascend, each name and uid is there once and is found; what
// was read, written down again as Dovecot writes it, reads the same without a complaint; whatever
// it says, every message gets a unique-id.
#include <algorithm>
#include <string>

#include "base/assert.h"
#include "fuzz/target.h"
#include "maildir/dovecot_uidlist.h"
#include "maildir/unique_id_policy.h"
#include "pop3/types.h"

namespace restante::fuzz {
namespace {

std::string written(const DovecotUidlist& list) {
    std::string text = "3 V" + std::to_string(list.uidvalidity().value_or(1)) + " N4294967295\n";
    for (const UidlistEntry& entry : list.entries()) {
        text += std::to_string(entry.uid);
        if (entry.pop3_uid) (text += " P") += *entry.pop3_uid;
        if (entry.pop3_order) text += " O" + std::to_string(*entry.pop3_order);
        if (!entry.guid.empty()) (text += " G") += entry.guid;
        (text += " :") += entry.base;
        text += '\n';
    }
    return text;
}

bool are_same(const UidlistEntry& a, const UidlistEntry& b) {
    return a.base == b.base && a.uid == b.uid && a.pop3_uid == b.pop3_uid &&
           a.pop3_order == b.pop3_order && a.guid == b.guid;
}

void check_ids(const DovecotUidlist& list) {
    const UniqueIdPolicy policy;
    WantedIds ids(policy, {.dovecot = &list});
    for (const UidlistEntry& entry : list.entries()) {
        const std::string id(ids.of(entry.base).id);
        ASSERT(pop3::is_unique_id(id));
        ASSERT(ids.of(entry.base).id == id);
        ASSERT(ids.number_key(entry.base) == ids.number_key(entry.base));
    }
}

}  // namespace

void fuzz_uidlist(std::string_view input) {
    const DovecotUidlist list = DovecotUidlist::parse(input);
    const auto lines = static_cast<std::size_t>(std::ranges::count(input, '\n')) + 2;
    ASSERT(list.entries().size() <= lines);
    ASSERT(list.complaints().kept().size() <= ListComplaints::kept_max);
    ASSERT(list.uidvalidity() != 0U);
    std::uint32_t last = 0;
    for (const UidlistEntry& entry : list.entries()) {
        ASSERT(entry.uid > last);
        last = entry.uid;
        ASSERT(!entry.base.empty() && !entry.base.contains(':'));
        ASSERT(list.find(entry.base) == &entry);
    }
    const std::string text = written(list);
    const DovecotUidlist again = DovecotUidlist::parse(text);
    ASSERT(again.complaints().total() == 0);
    ASSERT(std::ranges::equal(again.entries(), list.entries(), are_same));
    check_ids(list);
}

}  // namespace restante::fuzz
