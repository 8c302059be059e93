// File names of a Maildir: the order is a total one, unique-ids are unique-ids and follow from the
// base name alone. Input: names, each ended by NUL.
#include <compare>
#include <string>
#include <vector>

#include "base/assert.h"
#include "fuzz/input.h"
#include "fuzz/target.h"
#include "maildir/maildir_name.h"
#include "pop3/types.h"

namespace restante::fuzz {
namespace {

constexpr std::size_t names_max = 12;

void check_order(const std::vector<ArrivalKey>& keys) {
    for (const ArrivalKey& a : keys) {
        for (const ArrivalKey& b : keys) {
            ASSERT((a <=> b) == (0 <=> (b <=> a)));
            ASSERT((a == b) == ((a <=> b) == std::strong_ordering::equal));
            for (const ArrivalKey& c : keys) {
                if (a <= b && b <= c) ASSERT(a <= c);
            }
        }
    }
}

/// The unique-id of a name without its sizes is that of the name with them.
void check_sizes(std::string_view base) {
    std::string scratch;
    std::string other;
    for (const std::string_view size : {",S=12", ",W=0", ",S=1,W=2"}) {
        const std::string sized = std::string(base) + std::string(size);
        ASSERT(derived_unique_id(sized, scratch) == derived_unique_id(base, other));
    }
}

void check_name(std::string_view name) {
    const std::string_view base = base_name(name);
    ASSERT(name.starts_with(base) && !base.contains(':'));
    ASSERT(base.size() == name.size() || name[base.size()] == ':');
    ASSERT(is_message_name(name) == !(name.empty() || name.starts_with('.')));
    std::string scratch;
    std::string other;
    const std::string derived(derived_unique_id(base, scratch));
    ASSERT(pop3::is_unique_id(derived));
    ASSERT(derived_unique_id(base_name(std::string(base) + ":2,S"), other) == derived);
    ASSERT(pop3::is_unique_id(filename_unique_id(base, scratch)));
    if (pop3::is_unique_id(base)) ASSERT(filename_unique_id(base, scratch) == base);
    ASSERT(name_for_unique_id(base, scratch).size() <= base.size());
    check_sizes(base);
}

}  // namespace

void fuzz_maildir_name(std::string_view input) {
    Input parts(input);
    std::vector<std::string_view> names;
    while (!parts.is_over() && names.size() < names_max) names.push_back(parts.until('\0'));
    std::vector<ArrivalKey> exact;
    std::vector<ArrivalKey> in_seconds;
    for (const std::string_view name : names) {
        check_name(name);
        exact.emplace_back(base_name(name));
        in_seconds.emplace_back(base_name(name), ArrivalKey::Precision::seconds);
    }
    check_order(exact);
    check_order(in_seconds);
}

}  // namespace restante::fuzz
