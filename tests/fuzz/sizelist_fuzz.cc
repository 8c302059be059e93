// A courierpop3dsizelist of any octets: what is listed is found, the later of two lines with one
// name; what was read, written down again as Courier writes it, reads the same; whatever it says,
// every message gets a unique-id.
#include <algorithm>
#include <string>

#include "base/assert.h"
#include "fuzz/target.h"
#include "maildir/courier_sizelist.h"
#include "maildir/unique_id_policy.h"
#include "pop3/types.h"

namespace restante::fuzz {
namespace {

bool are_same(const SizelistEntry& a, const SizelistEntry& b) {
    return a.base == b.base && a.uid == b.uid && a.uidvalidity == b.uidvalidity;
}

std::string written(const CourierSizelist& list) {
    std::string text = "/2 1 1\n";
    for (const SizelistEntry& entry : list.entries()) {
        text += entry.base;
        text += " 1 " + std::to_string(entry.uid) + ':' + std::to_string(entry.uidvalidity) + '\n';
    }
    return text;
}

void check_ids(const CourierSizelist& list) {
    const UniqueIdPolicy policy;
    WantedIds ids(policy, {.courier = &list});
    for (const SizelistEntry& entry : list.entries()) {
        ASSERT(pop3::is_unique_id(ids.of(entry.base).id));
        for (const char octet : courier_unique_id(entry)) ASSERT(octet >= 0x21 && octet <= 0x7E);
    }
}

}  // namespace

void fuzz_sizelist(std::string_view input) {
    const CourierSizelist list = CourierSizelist::parse(input);
    const auto lines = static_cast<std::uint64_t>(std::ranges::count(input, '\n')) + 1;
    ASSERT(list.entries().size() + list.complaints().total() <= lines + 1);
    for (const SizelistEntry& entry : list.entries()) {
        ASSERT(!entry.base.empty() && !entry.base.contains(':'));
        const SizelistEntry* found = list.find(entry.base);
        ASSERT(found != nullptr && found >= &entry && found->base == entry.base);
    }
    const std::string text = written(list);
    const CourierSizelist again = CourierSizelist::parse(text);
    ASSERT(again.complaints().total() == 0);
    ASSERT(std::ranges::equal(again.entries(), list.entries(), are_same));
    check_ids(list);
}

}  // namespace restante::fuzz
