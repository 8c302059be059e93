#include "maildir/courier_sizelist.h"

#include <algorithm>

#include "maildir/maildir_name.h"

namespace restante {

namespace {

constexpr std::uint32_t version_max = 3;
constexpr std::uint32_t version_unknown = 4;  // each line shows which it is of, except version 0's

std::string escaped_base_name(std::string_view base) {
    static constexpr char digits[] = "0123456789ABCDEF";
    std::string escaped;
    for (const char c : base) {
        const auto octet = static_cast<unsigned char>(c);
        if (octet < 0x21 || octet > 0x7E || c == '\'' || c == '"' || c == '+') {
            escaped += '+';
            escaped += digits[octet >> 4];
            escaped += digits[octet & 15];
        } else {
            escaped += c;
        }
    }
    return escaped;
}

}  // namespace

CourierSizelist CourierSizelist::parse(std::string_view text) {
    CourierSizelist list;
    std::uint32_t line_number = 0;
    if (text.starts_with('/')) {
        list.parse_header(take_field(text, '\n'));
        line_number = 1;
    }
    while (text.contains('\n')) list.parse_line(take_field(text, '\n'), ++line_number);
    if (!text.empty()) list.complaints_.add(line_number + 1, "torn");
    list.names_ = NameTable(list.entries_.size());
    for (std::size_t at = list.entries_.size(); at-- > 0;) {  // the later line is found first
        list.names_.insert(NameTable::hash(list.entries_[at].base), static_cast<std::uint32_t>(at));
    }
    return list;
}

void CourierSizelist::parse_header(std::string_view line) {
    const auto version = parse_decimal<std::uint32_t>(take_field(line, ' ').substr(1));
    if (version && *version >= 1 && *version <= version_max) {
        version_ = *version;
        return;
    }
    version_ = version_unknown;
    complaints_.add(1, "header not understood");
}

void CourierSizelist::parse_line(std::string_view line, std::uint32_t line_number) {
    SizelistEntry entry;
    if (version_ > 0) {
        const auto uid_field = take_last_field(line, ' ');
        if (!uid_field || !parse_uid(*uid_field, entry))
            return complaints_.add(line_number, "no uid");
    }
    const auto size_field = take_last_field(line, ' ');
    if (!size_field || !parse_decimal<std::uint64_t>(*size_field)) {
        return complaints_.add(line_number, "no size");
    }
    entry.base = base_name(line);
    if (entry.base.empty()) return complaints_.add(line_number, "no file name");
    entries_.push_back(entry);
}

// "<uid>" (version 1), "<uid>:<uidvalidity>" (2) or "<uid>:<uidvalidity>:<0 or 1>" (3).
bool CourierSizelist::parse_uid(std::string_view field, SizelistEntry& entry) const {
    const auto colons = static_cast<std::uint32_t>(std::ranges::count(field, ':'));
    if (version_ != version_unknown && colons + 1 != version_) return false;
    const auto uid = parse_decimal<std::uint64_t>(take_field(field, ':'));
    const auto uidvalidity = colons == 0 ? std::optional<std::uint64_t>(0)
                                         : parse_decimal<std::uint64_t>(take_field(field, ':'));
    if (!uid || !uidvalidity) return false;
    entry.uid = *uid;
    entry.uidvalidity = *uidvalidity;
    return true;
}

const SizelistEntry* CourierSizelist::find(std::string_view base) const {
    const SizelistEntry* found = nullptr;
    names_.visit(NameTable::hash(base), [&](std::uint32_t at) {
        if (entries_[at].base != base) return false;
        found = &entries_[at];
        return true;
    });
    return found;
}

std::string courier_unique_id(const SizelistEntry& entry) {
    if (entry.uid == 0) return escaped_base_name(entry.base);
    std::string id = "UID";
    id += std::to_string(entry.uid);
    if (entry.uidvalidity == 0) return id;
    id += '-';
    id += std::to_string(entry.uidvalidity);
    return id;
}

}  // namespace restante
