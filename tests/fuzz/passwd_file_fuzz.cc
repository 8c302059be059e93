// A passwd-file of any octets: the hash index finds what a search from the top finds, the first
// line of a user; what is recalled is what was parsed. Input: the file.
#include <algorithm>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "auth/passwd_file.h"
#include "auth/password_scheme.h"
#include "base/assert.h"
#include "fuzz/target.h"

namespace restante::fuzz {
namespace {

bool are_same(const PasswdRecord& a, const PasswdRecord& b) {
    return a.name == b.name && a.password == b.password && a.home == b.home &&
           a.maildrop == b.maildrop && a.allow_nets == b.allow_nets &&
           a.may_log_in == b.may_log_in && a.may_use_pop3 == b.may_use_pop3 &&
           a.is_bound_to_nets == b.is_bound_to_nets && a.has_ids == b.has_ids;
}

struct Line {
    std::uint64_t number;
    PasswdEntry entry;
};

std::vector<Line> entries_of(std::string_view text) {
    std::vector<Line> entries;
    std::uint64_t after = text.starts_with("\xEF\xBB\xBF") ? 3 : 0;
    PasswdLineReader reader(text);
    while (const auto line = reader.next()) {
        ASSERT(line->offset == after);
        ASSERT(line->stored.starts_with(line->text) && !line->text.contains('\n'));
        after += line->stored.size();
        if (!is_passwd_entry(line->text)) continue;
        entries.push_back({line->number, parse_passwd_line(line->text)});
        const PasswdEntry& entry = entries.back().entry;
        if (entry.fault != nullptr || !entry.record.may_log_in) continue;
        ASSERT(are_same(recall_passwd_line(line->text), entry.record));
        ASSERT(is_user_name(entry.record.name));
        ASSERT(StoredPassword::parse(entry.record.password).has_value());
    }
    ASSERT(after == text.size());
    return entries;
}

PasswdTable table_of(std::string_view text) {
    PasswdText copy(text.size());
    if (!text.empty()) std::memcpy(copy.space().data(), text.data(), text.size());
    return PasswdTable(std::move(copy), {});
}

void check_find(const PasswdTable& table, const std::vector<Line>& entries, std::string_view name,
                NameMatch match) {
    const auto first = std::ranges::find_if(entries, [&](const Line& line) {
        const std::string_view other = line.entry.record.name;
        return !other.empty() && same_user(other, name, match);
    });
    const std::optional<PasswdTable::Found> found = table.find(name, match);
    ASSERT(found.has_value() == (first != entries.end()));
    if (!found) return;
    const PasswdEntry& expected = first->entry;
    const bool same_fault = found->entry.fault == expected.fault;
    ASSERT(same_fault);
    ASSERT(are_same(found->entry.record, expected.record));
    if (expected.fault != nullptr) ASSERT(found->line == first->number);
}

/// Confinement (Landlock) opens own_maildrops() and no more.
void check_maildrop(const PasswdTable& table, std::string_view name) {
    const PasswdEntry entry = table.find(name, NameMatch::exact)->entry;
    if (entry.fault != nullptr || entry.record.maildrop.empty()) return;
    const std::string path = entry.record.maildrop_path();
    ASSERT(path.starts_with('/'));
    ASSERT(path.starts_with(table.own_maildrops()));
}

}  // namespace

void fuzz_passwd_file(std::string_view input) {
    const std::vector<Line> entries = entries_of(input);
    const PasswdTable table = table_of(input);
    std::uint64_t faults = 0;
    std::vector<std::string_view> users;
    for (const Line& line : entries) {
        const std::string_view name = line.entry.record.name;
        faults += line.entry.fault != nullptr ? 1 : 0;
        if (name.empty()) continue;
        const bool is_first = std::ranges::find(users, name) == users.end();
        if (is_first) users.push_back(name);
        if (!is_first) ++faults;
        check_find(table, entries, name, NameMatch::exact);
        check_find(table, entries, name, NameMatch::ignore_case);
    }
    ASSERT(table.user_count() == users.size());
    ASSERT(table.fault_count() == faults);
    check_find(table, entries, "nobody@example.org", NameMatch::ignore_case);
    const std::optional<PasswdRecord> representative = table.representative();
    if (representative) ASSERT(StoredPassword::parse(representative->password).has_value());
    for (const std::string_view name : users) check_maildrop(table, name);
}

}  // namespace restante::fuzz
