#pragma once
/// `courierpop3dsizelist` beside the mail: what Courier's POP3 server called the messages of this
/// maildrop. Versions 0 to 3. Read only. Its sizes are not used: they count every LF as two, in
/// CRLF files too.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "maildir/list_reading.h"
#include "maildir/name_table.h"

namespace restante {

struct SizelistEntry {
    std::string_view base;  ///< the file name up to its first ':'
    std::uint64_t uid = 0;  ///< 0: the unique-id is the base name, escaped
    std::uint64_t uidvalidity = 0;
};

class CourierSizelist {
public:
    /// `text` is the whole file and must outlive the list. Bad lines are complaints, the others
    /// count; of two lines with one name the later. A last line without its end is torn (Courier
    /// replaces the file as a whole).
    static CourierSizelist parse(std::string_view text);

    /// By `base`, a name up to its first ':'. nullptr: not listed. O(1).
    const SizelistEntry* find(std::string_view base) const;
    std::span<const SizelistEntry> entries() const { return entries_; }  ///< as in the file
    const ListComplaints& complaints() const { return complaints_; }

private:
    CourierSizelist() : names_(0) {}
    void parse_header(std::string_view line);
    void parse_line(std::string_view line, std::uint32_t line_number);
    bool parse_uid(std::string_view field, SizelistEntry& entry) const;

    std::uint32_t version_ = 0;
    std::vector<SizelistEntry> entries_;
    NameTable names_;  // base -> position in entries_
    ListComplaints complaints_;
};

/// The unique-id Courier shows: `UID<uid>-<uidvalidity>`, `UID<uid>`, or the base name with octets
/// below 0x21, above 0x7E and `'`, `"`, `+` as `+XX`. Need not be a unique-id of RFC 1939 (too
/// long).
std::string courier_unique_id(const SizelistEntry& entry);

}  // namespace restante
