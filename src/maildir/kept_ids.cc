#include "maildir/kept_ids.h"

#include <algorithm>

#include "maildir/name_table.h"

namespace restante {
namespace {

/// Multiplication spreads inodes over the high half, which tells candidates apart, and leaves
/// those of a row in a row.
std::uint64_t hash_of(std::uint64_t inode) { return inode * 0x9E37'79B9'7F4A'7C15; }

/// A file that the previous index does not know.
struct Newcomer {
    std::uint32_t file;
    std::string_view base;
    WantedId wanted;
    NumberKey key;
    std::uint32_t before;  ///< the message of the previous index that it comes before, or count()
};

/// What has become of a message of the previous index.
struct Fate {
    std::uint32_t file = 0;  ///< where it is there
    bool is_there = false;
    bool is_unchanged = false;
};

/// A listing beside the index of before.
class Comparison {
public:
    Comparison(const UniqueIdPolicy& policy, const ForeignLists& lists,
               const MaildropIndex& previous, std::span<const ScannedFile> files)
        : wanted_(policy, lists), previous_(previous), files_(files), fates_(previous.count()) {}

    std::optional<AssignedIds> run() {
        if (previous_.is_irreplaceable() || !find_files() || !are_newcomers_new())
            return std::nullopt;
        place_newcomers();
        return in_order();
    }

private:
    bool find_files();
    bool are_newcomers_new();
    void place_newcomers();
    AssignedIds in_order();

    WantedIds wanted_;
    const MaildropIndex& previous_;
    std::span<const ScannedFile> files_;
    std::vector<Fate> fates_;  // of each message of previous_
    std::vector<Newcomer> newcomers_;
};

// False: two files are one message.
bool Comparison::find_files() {
    NameTable positions(previous_.count());
    for (std::uint32_t at = 0; at < previous_.count(); ++at)
        positions.insert(hash_of(previous_.inode(at)), at);
    for (std::uint32_t i = 0; i < files_.size(); ++i) {
        const ScannedFile& file = files_[i];
        Fate* known = nullptr;
        bool is_unchanged = false;
        positions.visit(hash_of(file.inode), [&](std::uint32_t at) {
            const IndexedMessage message = previous_.message(at);
            // Another name: that message is gone, and its inode was given to a new file.
            if (message.inode != file.inode || message.base != file.base()) return false;
            known = &fates_[at];
            is_unchanged = message.name == file.name && message.folder == file.folder &&
                           message.stored_octets != unmeasured;
            return true;
        });
        if (known == nullptr) {
            newcomers_.push_back(
                {i, file.base(), wanted_.of(file.base()), wanted_.number_key(file.base()), 0});
        } else if (known->is_there) {
            return false;
        } else {
            *known = {i, true, is_unchanged};
        }
    }
    return true;
}

// No message that is or was there has a name or an id of theirs, nor do two of them.
bool Comparison::are_newcomers_new() {
    IdSet names(newcomers_.size());
    IdSet ids(newcomers_.size());
    for (const Newcomer& newcomer : newcomers_) {
        if (!names.insert(newcomer.base) || !ids.insert(newcomer.wanted.id)) return false;
    }
    for (std::uint32_t at = 0; !newcomers_.empty() && at < previous_.count(); ++at) {
        const IndexedMessage message = previous_.message(at);
        if (names.contains(message.base) || ids.contains(message.unique_id)) return false;
    }
    return true;
}

// The order of the others is that of before.
void Comparison::place_newcomers() {
    std::ranges::sort(newcomers_, {}, &Newcomer::key);
    std::uint32_t first = 0;
    for (Newcomer& newcomer : newcomers_) {
        std::uint32_t end = previous_.count();
        while (first < end) {
            const std::uint32_t middle = first + (end - first) / 2;
            if (wanted_.number_key(previous_.message(middle).base) < newcomer.key) {
                first = middle + 1;
            } else {
                end = middle;
            }
        }
        newcomer.before = first;
    }
}

AssignedIds Comparison::in_order() {
    AssignedIds ids;
    ids.messages.reserve(files_.size());
    auto newcomer = newcomers_.begin();
    for (std::uint32_t at = 0; at <= previous_.count(); ++at) {
        for (; newcomer != newcomers_.end() && newcomer->before == at; ++newcomer) {
            ids.messages.push_back({ids.text.add(newcomer->wanted.id), newcomer->file, std::nullopt,
                                    newcomer->wanted.kind});
        }
        if (at == previous_.count() || !fates_[at].is_there) continue;
        const IndexedMessage message = previous_.message(at);
        ids.messages.push_back(
            {message.unique_id, fates_[at].file, at, message.id_kind, fates_[at].is_unchanged});
    }
    return ids;
}

}  // namespace

std::optional<AssignedIds> keep_ids(const UniqueIdPolicy& policy, const ForeignLists& lists,
                                    const MaildropIndex& previous,
                                    std::span<const ScannedFile> files) {
    return Comparison(policy, lists, previous, files).run();
}

}  // namespace restante
