#pragma once
/// `restante.index`: what was learnt of a maildrop by listing and reading it, so that the next
/// session need not. The octets of the file are the snapshot in memory. Nothing of it is needed but
/// ids that only it remembers (unique_ids.h says which): a missing or damaged index is made again
/// from the mail.
///
/// The file: header, message records of one size, retired ids, positions of stuffed dots, then all
/// names and unique-ids (a unique-id that its name starts with is not stored again). Numbers are in
/// host byte order, which is marked. XXH3-64 over everything.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "maildir/file_table.h"
#include "maildir/message_file.h"
#include "pop3/deletion_marks.h"
#include "pop3/listing.h"
#include "pop3/message_meter.h"
#include "pop3/types.h"

namespace restante {

namespace index_layout {
struct MessageRecord;
}

/// Most messages an index holds; with the longest names and ids the offsets still fit 32 bits.
inline constexpr std::uint32_t indexed_messages_max = 3'000'000;

/// 281 TB: a larger number of octets is recorded as this.
inline constexpr std::uint64_t message_octets_max = (std::uint64_t{1} << 48U) - 1;

/// stored_octets of a message that could not be read, or is not what was read: it is listed,
/// refused, and measured again at the next login.
inline constexpr std::uint64_t unmeasured = message_octets_max;

/// Where a unique-id comes from.
enum class UniqueIdKind : std::uint8_t {
    derived,  ///< from the file name
    content,  ///< from the message's octets: another message has the name's id
    foreign,  ///< from another server's list
};

/// A file or folder as it was. Not all of it tells a change: same_folder(), same_file().
struct FileIdentity {
    bool exists = false;
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::uint64_t octets = 0;
    std::int64_t modified_nanoseconds = 0;
    std::int64_t changed_nanoseconds = 0;
    friend bool operator==(const FileIdentity&, const FileIdentity&) = default;
};

/// Both absent, or device, inode, mtime and ctime agree: no name was added, removed or changed
/// between them.
bool same_folder(const FileIdentity& a, const FileIdentity& b);
/// Both absent, or device, inode, size and mtime agree.
bool same_file(const FileIdentity& a, const FileIdentity& b);

struct FolderTrust {
    FileIdentity folder;
    /// The listing was complete and no later change can have left the same times.
    bool is_trusted = false;
    friend bool operator==(const FolderTrust&, const FolderTrust&) = default;
};

/// What an index was made from: it holds as long as all of this is so.
struct IndexTrust {
    FolderTrust fresh;
    FolderTrust current;
    FileIdentity dovecot_uidlist;
    FileIdentity courier_sizelist;
    /// UniqueIdPolicy::hash(): from an index of another policy octets are used and ids are not.
    std::uint64_t policy = 0;
    /// Of some message the octets are not known: a cure need not show in the folders.
    bool has_unmeasured = false;
    friend bool operator==(const IndexTrust&, const IndexTrust&) = default;
};
/// Nothing has changed since the index was made, and nothing of it was left open.
bool holds(const IndexTrust& then, const IndexTrust& now);

/// An id that no message but the one with `inode` may have: its message is gone, but another with
/// the same name is or was there. Inode 0: nobody may.
struct RetiredId {
    std::string_view unique_id;
    std::uint64_t inode = 0;
    friend bool operator==(const RetiredId&, const RetiredId&) = default;
};

/// One message of an index. Views live as long as the index.
struct IndexedMessage {
    std::string_view name;  ///< of the file, with flags
    std::string_view base;  ///< up to its first ':'
    std::string_view unique_id;
    Folder folder;
    UniqueIdKind id_kind;
    bool is_wire_ready;
    std::uint64_t inode;
    std::uint64_t stored_octets;
    pop3::Octets octets;
    std::uint64_t header_octets;
    WallTime modified;
};

/// Immutable; may be shared between threads. Messages are in the order of their numbers. 48 octets
/// and the name a message.
class MaildropIndex {
    struct Layout;

public:
    /// For decode(), with_trust() and IndexBuilder: nobody else has a Layout.
    MaildropIndex(std::vector<char> file, const Layout& layout);
    /// nullptr: not an index of this version and machine, or damaged. Every offset is checked, so
    /// that even a file made with malice and a right checksum is safe to use; names contain no '/'
    /// and no NUL, unique-ids are unique-ids (but need not be unique).
    static std::shared_ptr<const MaildropIndex> decode(std::vector<char> file);
    /// What decode() takes.
    std::span<const char> encoded() const { return file_; }

    std::uint32_t count() const { return count_; }
    std::size_t text_octets() const { return file_.size() - text_at_; }  ///< of names and ids
    pop3::Octets octets() const { return octets_; }                      ///< of all messages
    /// `at` < count(), also below.
    IndexedMessage message(std::uint32_t at) const;
    /// What LIST and UIDL say of it: one look at its record.
    struct Listed {
        pop3::Octets octets;
        std::string_view unique_id;
    };
    Listed listed(std::uint32_t at) const;
    std::uint64_t inode(std::uint32_t at) const;
    bool is_measured(std::uint32_t at) const;  ///< else its octets are not known
    /// As Maildrop::list() has it: straight from the records.
    std::uint32_t list(pop3::Listing listing, std::uint32_t first, const pop3::DeletionMarks& marks,
                       pop3::ListingWriter& lines) const;
    pop3::MessageMeasure measure(std::uint32_t at) const;

    IndexTrust trust() const;
    /// Of two indexes of one maildrop that with the greater one was made later.
    std::uint32_t generation() const;
    /// A copy that differs in this only.
    std::shared_ptr<const MaildropIndex> with_trust(const IndexTrust& trust) const;

    std::uint32_t retired_count() const { return retired_count_; }
    RetiredId retired(std::uint32_t at) const;  ///< `at` < retired_count()
    /// It has unique-ids that nothing else on disk tells: would it be lost, another message might
    /// get that of a removed one.
    bool is_irreplaceable() const;

private:
    friend class IndexBuilder;
    std::string_view text(std::uint64_t offset, std::uint64_t octets) const {
        return std::string_view(file_.data() + text_at_ + offset, octets);
    }

    std::vector<char> file_;
    std::uint32_t count_;
    std::uint32_t retired_count_;
    pop3::Octets octets_;
    std::size_t retired_at_;  // offsets in file_
    std::size_t dots_at_;
    std::size_t text_at_;
};

/// What is to be said of one message.
struct NewIndexedMessage {
    std::string_view name;  ///< 1 .. file_name_octets_max octets, no '/' and no NUL
    std::string_view unique_id;
    Folder folder = Folder::fresh;
    UniqueIdKind id_kind = UniqueIdKind::derived;
    std::uint64_t inode = 0;
    /// The file's when it was measured; 0 where it may have changed since without showing it.
    WallTime modified{};
};

/// For the index that follows one of generation `previous` (0: follows none) at `now`: greater, and
/// not below the seconds since 1970, so that after restante.index was removed a new line of indexes
/// is ahead of what is left of the old one.
std::uint32_t next_generation(std::uint32_t previous, WallTime now);

/// Puts an index together; use once. With as many octets of names and ids as expected and no
/// stuffed dots, only these are copied.
class IndexBuilder {
public:
    explicit IndexBuilder(std::size_t messages_expected = 0, std::size_t text_octets_expected = 0);
    /// In the order of the message numbers; at most indexed_messages_max times.
    void add(const NewIndexedMessage& message, const pop3::MessageMeasure& measure);
    /// What was measured, and when, is what `other` says of its message `at`.
    void add(const NewIndexedMessage& message, const MaildropIndex& other, std::uint32_t at);
    /// All is what `other` says of its message `at`.
    void add(const MaildropIndex& other, std::uint32_t at);
    bool has_unmeasured() const { return has_unmeasured_; }  ///< among those added
    void retire(const RetiredId& retired);
    std::shared_ptr<const MaildropIndex> build(const IndexTrust& trust,
                                               std::uint32_t generation = 0);

private:
    void describe(const NewIndexedMessage& message, index_layout::MessageRecord record);
    void append(const index_layout::MessageRecord& record);
    std::uint32_t add_text(std::string_view text);
    std::uint32_t add_dots(const pop3::MessageMeasure& measure);

    std::vector<char> file_;  // room for the header, and the records
    std::vector<char> retired_;
    std::vector<std::uint64_t> dots_;
    std::vector<char> text_;
    std::uint32_t count_ = 0;
    std::uint32_t retired_count_ = 0;
    std::uint64_t octets_ = 0;
    bool has_unmeasured_ = false;
};

/// Finds messages of an index by base name (FileTable): for a listing that is compared with its
/// index, not for a session.
class IndexLookup {
public:
    explicit IndexLookup(std::shared_ptr<const MaildropIndex> index);
    const MaildropIndex& index() const { return *index_; }

    /// The message in this very file.
    std::optional<std::uint32_t> find(std::string_view base, std::uint64_t inode) const {
        return files_.find(base, inode);
    }
    /// The first message of that base name, and whether there are others.
    std::optional<FileTable::Name> name(std::string_view base) const { return files_.name(base); }

private:
    std::shared_ptr<const MaildropIndex> index_;
    FileTable files_;
};

}  // namespace restante
