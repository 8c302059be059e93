#include "maildir/dovecot_uidlist.h"

#include <algorithm>

#include "maildir/maildir_name.h"

namespace restante {

namespace {

constexpr std::uint32_t uid_max = 0xFFFFFFFE;

bool is_key(char c) { return c >= 'A' && c <= 'Z'; }

// One "<KEY><value>" of a version 3 line; false when it is none.
bool read_field(std::string_view field, UidlistEntry& entry) {
    if (!is_key(field.front())) return false;
    const std::string_view value = field.substr(1);
    switch (field.front()) {
        case 'P': entry.pop3_uid = value; break;
        case 'G': entry.guid = value; break;
        case 'O':
            entry.pop3_order = parse_decimal<std::uint32_t>(value);
            return entry.pop3_order.has_value();
        default: break;  // sizes, and keys of other versions
    }
    return true;
}

}  // namespace

DovecotUidlist DovecotUidlist::parse(std::string_view text) {
    DovecotUidlist list;
    std::uint32_t line_number = 1;
    std::string_view rest = text;
    const std::string_view first_line = take_field(rest, '\n');
    if (!list.parse_header(first_line)) {
        list.complaints_.add(line_number, "header not understood");
        if (first_line.contains(" :")) {  // the header is missing: that was a message's line
            list.layout_ = Layout::unknown;
            rest = text;
            line_number = 0;
        }
    }
    while (!rest.empty()) list.parse_line(take_field(rest, '\n'), ++line_number);
    list.settle();
    return list;
}

bool DovecotUidlist::parse_header(std::string_view line) {
    const std::string_view version = take_field(line, ' ');
    std::optional<std::uint32_t> next_uid;
    if (version == "1") {
        layout_ = Layout::version_1;
        uidvalidity_ = parse_decimal<std::uint32_t>(take_field(line, ' '));
        next_uid = parse_decimal<std::uint32_t>(take_field(line, ' '));
    } else if (version == "3") {
        layout_ = Layout::version_3;
        while (!line.empty()) {
            const std::string_view field = take_field(line, ' ');
            if (field.empty()) continue;
            const auto number = parse_decimal<std::uint32_t>(field.substr(1));
            if (field.front() == 'V') uidvalidity_ = number;
            if (field.front() == 'N') next_uid = number;
        }
    }
    if (uidvalidity_ == 0) uidvalidity_.reset();
    return uidvalidity_.has_value() && next_uid.value_or(0) != 0;
}

void DovecotUidlist::parse_line(std::string_view line, std::uint32_t line_number) {
    UidlistEntry entry;
    const auto uid = parse_decimal<std::uint32_t>(take_field(line, ' '));
    if (!uid || *uid == 0 || *uid > uid_max) return complaints_.add(line_number, "no uid");
    entry.uid = *uid;
    const bool has_fields =
        layout_ == Layout::version_3 ||
        (layout_ == Layout::unknown && (line.starts_with(':') || line.contains(" :")));
    while (has_fields && !line.empty() && !line.starts_with(':')) {
        const std::string_view field = take_field(line, ' ');
        if (field.empty()) continue;
        if (!read_field(field, entry)) complaints_.add(line_number, "field not understood");
    }
    if (has_fields && line.starts_with(':')) line.remove_prefix(1);
    entry.base = base_name(line);
    if (entry.base.empty()) return complaints_.add(line_number, "no file name");
    add(entry, line_number);
}

void DovecotUidlist::add(const UidlistEntry& entry, std::uint32_t line_number) {
    if (!entries_.empty() && entry.uid <= entries_.back().uid) {
        complaints_.add(line_number, "uid does not ascend");
        uids_ascend_ = false;
    }
    entries_.push_back(entry);
}

void DovecotUidlist::settle() {
    const bool names_are_unique = drop_earlier_of_repeated_names();
    if (!uids_ascend_) {
        std::ranges::stable_sort(entries_, {}, &UidlistEntry::uid);
        const auto repeated = std::ranges::unique(entries_, {}, &UidlistEntry::uid);
        entries_.erase(repeated.begin(), repeated.end());
    }
    const bool positions_changed = !names_are_unique || !uids_ascend_;
    if (positions_changed) drop_earlier_of_repeated_names();
}

// Indexes the names too. True: there was nothing to drop.
bool DovecotUidlist::drop_earlier_of_repeated_names() {
    names_ = NameTable(entries_.size());
    for (std::size_t at = entries_.size(); at-- > 0;) {
        if (find(entries_[at].base) == nullptr) {
            names_.insert(NameTable::hash(entries_[at].base), static_cast<std::uint32_t>(at));
        } else {
            entries_[at].uid = 0;
        }
    }
    return std::erase_if(entries_, [](const UidlistEntry& entry) { return entry.uid == 0; }) == 0;
}

const UidlistEntry* DovecotUidlist::find(std::string_view base) const {
    const UidlistEntry* found = nullptr;
    names_.visit(NameTable::hash(base), [&](std::uint32_t at) {
        if (entries_[at].base != base) return false;
        found = &entries_[at];
        return true;
    });
    return found;
}

}  // namespace restante
