#pragma once
/// `dovecot-uidlist` beside the mail: what a Dovecot that served this maildrop called its messages.
/// Versions 1 (also Courier's courierimapuiddb) and 3. Read only.

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "maildir/list_reading.h"
#include "maildir/name_table.h"

namespace restante {

struct UidlistEntry {
    std::string_view base;  ///< the file name up to its first ':'
    std::uint32_t uid = 0;  ///< 1 .. 2^32 - 2
    /// `P`: the unique-id Dovecot stored; empty: the base name is it. Comes before any format.
    std::optional<std::string_view> pop3_uid;
    /// `O`: messages that have it come first, ascending; the others by uid.
    std::optional<std::uint32_t> pop3_order;
    std::string_view guid;  ///< `G`, empty = the base name is it
};

/// Everything that could be read of the file. Dovecot throws a damaged list away, and every
/// unique-id with it; here each good line counts and each bad one is a complaint.
class DovecotUidlist {
public:
    /// `text` is the whole file and must outlive the list. A last line without its end (somebody
    /// appends right now) counts when it is whole otherwise.
    static DovecotUidlist parse(std::string_view text);

    /// Nothing when the header was not understood: no unique-id that contains it can be made.
    std::optional<std::uint32_t> uidvalidity() const { return uidvalidity_; }
    /// By `base`, a name up to its first ':'. nullptr: not listed. O(1).
    const UidlistEntry* find(std::string_view base) const;
    /// By uid, ascending. Each uid and each base name occurs once: of two lines with one name the
    /// later counts (the file was expunged and came back), of two with one uid the first.
    std::span<const UidlistEntry> entries() const { return entries_; }
    const ListComplaints& complaints() const { return complaints_; }

private:
    DovecotUidlist() : names_(0) {}
    bool parse_header(std::string_view line);
    void parse_line(std::string_view line, std::uint32_t line_number);
    void add(const UidlistEntry& entry, std::uint32_t line_number);
    void settle();
    bool drop_earlier_of_repeated_names();

    enum class Layout : std::uint8_t { unknown, version_1, version_3 };
    Layout layout_ = Layout::unknown;
    bool uids_ascend_ = true;
    std::optional<std::uint32_t> uidvalidity_;
    std::vector<UidlistEntry> entries_;
    NameTable names_;  // base -> position in entries_
    ListComplaints complaints_;
};

}  // namespace restante
