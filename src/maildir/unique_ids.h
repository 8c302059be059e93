#pragma once
/// Which unique-id each message of a maildrop has, and in which order they come.
///
/// Without an index everything here is a function of what is on disk: file names, the lists of
/// former servers and, where two files claim one id, their contents. Only an index remembers
/// - the id a message got before a list appeared, changed or vanished;
/// - which of several files with one name had its id first, when it is not the one with the
/// smallest hash;
/// - that an id belonged to a message that is gone while another file with its name is left
/// (RetiredId);
/// - which of several messages with the same octets has which ordinal.

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/text_arena.h"
#include "maildir/content_digest.h"
#include "maildir/file_table.h"
#include "maildir/index_file.h"
#include "maildir/message_file.h"
#include "maildir/name_table.h"
#include "maildir/unique_id_policy.h"

namespace restante {

/// What is known besides the files.
struct UniqueIdSources {
    const IndexLookup* previous = nullptr;  ///< nullptr = none
    ForeignLists lists;
};

struct AssignedMessage {
    std::string_view unique_id;
    std::uint32_t file;  ///< position in the files given
    /// The message of the previous index in the same file (base name and inode), whatever its
    /// policy: its octets hold while the file's size does.
    std::optional<std::uint32_t> previous;
    UniqueIdKind id_kind;
    bool is_unchanged = false;  ///< all that `previous` says of it holds, name and folder, too
};

/// Movable. Views into `text`, or into the previous index.
struct AssignedIds {
    std::vector<AssignedMessage> messages;  ///< in the order of their numbers
    std::vector<RetiredId> retired;         ///< for the next index
    TextArena text;
};

/// Retired ids that no file claims are kept up to this many, the newest.
inline constexpr std::size_t unclaimed_retired_ids_max = 1024;

/// A set of strings that live elsewhere.
class IdSet {
public:
    explicit IdSet(std::size_t ids_max) : positions_(ids_max) { ids_.reserve(ids_max); }
    bool contains(std::string_view id) const;
    /// False: it is there already.
    bool insert(std::string_view id);

private:
    bool contains(std::string_view id, std::uint64_t hash) const;
    std::vector<std::string_view> ids_;
    NameTable positions_;
};

/// In two steps, because some ids need contents: construct, read the files that digests_needed()
/// names (normally none), finish(). A file that turns out to be gone: leave it out and start again.
/// O(n log n).
class UniqueIdAssignment {
public:
    /// Everything given must outlive it. At most indexed_messages_max files. Of files with the same
    /// base name and inode one counts: the last in cur/, else the last.
    UniqueIdAssignment(const UniqueIdPolicy& policy, const UniqueIdSources& sources,
                       std::span<const ScannedFile> files);

    /// Positions in the files given, ascending.
    std::span<const std::uint32_t> digests_needed() const { return digests_needed_; }
    /// Once, last; digests[i] is of the file digests_needed()[i]. Every id is one of RFC 1939 §7,
    /// no two are the same.
    AssignedIds finish(std::span<const ContentHash> digests);

private:
    struct Candidate {
        std::uint32_t file;
        std::string_view base;
        std::uint64_t inode;
        std::optional<std::uint32_t> previous = std::nullopt;
        std::string_view id = {};  // empty: not decided yet
        UniqueIdKind id_kind = UniqueIdKind::derived;
    };
    /// A candidate whose content decides.
    struct Contender {
        Candidate* candidate;
        ContentHash hash;
        WantedId wanted;
    };

    void collect(std::span<const ScannedFile> files);
    void carry_retired_ids();
    void keep_known_ids();
    std::optional<std::uint32_t> known_as(const Candidate& candidate);
    bool is_retired(std::string_view id) const { return retired_inodes_.contains(id); }
    bool may_have(const Candidate& candidate, std::string_view id) const;
    void retire_lost_ids();
    void retire(const RetiredId& retired);
    std::uint64_t former_inode(const Candidate& candidate, std::string_view id);
    void decide_by_name();
    bool was_twin(const Candidate& candidate) const;
    bool give(Candidate& candidate, std::string_view id, UniqueIdKind kind);

    std::vector<Contender> contenders(std::span<const ContentHash> digests);
    void keep_known_content_ids(std::span<const Contender> contenders);
    std::optional<std::uint32_t> previous_with_id(std::string_view id);
    bool had_wanted_id(const Contender& contender) const;
    void give_wanted_id(const Contender& contender);
    void give_content_ids(std::span<const Contender> contenders);
    std::vector<std::uint32_t> in_number_order() const;
    void add_retired_ids(AssignedIds& assigned);

    const MaildropIndex* previous_ = nullptr;  // nullptr = none
    const IndexLookup* lookup_ = nullptr;      // into previous_
    bool same_policy_ = false;                 // as previous_'s
    WantedIds wanted_;
    FileTable names_;  // of candidates_
    std::vector<Candidate> candidates_;
    std::vector<std::uint32_t> contested_;  // positions in candidates_
    std::vector<std::uint32_t> digests_needed_;
    std::vector<RetiredId> retired_;  // oldest first
    std::unordered_map<std::string_view, std::uint64_t> retired_inodes_;
    IdSet taken_;
    TextArena content_ids_;
    std::optional<NameTable> previous_ids_;  // positions in previous_; made when first needed
};

}  // namespace restante
