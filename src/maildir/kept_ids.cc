#include "maildir/kept_ids.h"

#include <algorithm>

namespace restante {
namespace {

/// Beyond this part of the files most are newcomers, and the long way costs no more.
constexpr std::size_t newcomers_part = 2;

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
    Comparison(const UniqueIdPolicy& policy, const ForeignLists& lists, const IndexLookup& lookup,
               std::span<const ScannedFile> files)
        : wanted_(policy, lists),
          lookup_(lookup),
          previous_(lookup.index()),
          files_(files),
          fates_(previous_.count()) {}

    std::optional<AssignedIds> run() {
        if (previous_.is_irreplaceable() || !find_files() || !are_newcomers_new())
            return std::nullopt;
        place_newcomers();
        return in_order();
    }

private:
    bool find_files();
    bool find_file(std::uint32_t file);
    bool are_newcomers_new();
    void place_newcomers();
    AssignedIds in_order();

    WantedIds wanted_;
    const IndexLookup& lookup_;
    const MaildropIndex& previous_;  // lookup_'s
    std::span<const ScannedFile> files_;
    std::vector<Fate> fates_;  // of each message of previous_
    std::vector<Newcomer> newcomers_;
};

// False: two files are one message, or have the name of one in another file.
bool Comparison::find_files() {
    const std::size_t newcomers_max = std::max<std::size_t>(16, files_.size() / newcomers_part);
    for (std::uint32_t file = 0; file < files_.size(); ++file) {
        if (!find_file(file) || newcomers_.size() > newcomers_max) return false;
    }
    return true;
}

bool Comparison::find_file(std::uint32_t file) {
    const ScannedFile& listed = files_[file];
    const std::string_view base = listed.base();
    const std::optional<std::uint32_t> known = lookup_.find(base, listed.inode);
    if (!known) {
        newcomers_.push_back({file, base, wanted_.of(base), wanted_.number_key(base), 0});
        return !lookup_.name(base);
    }
    if (fates_[*known].is_there) return false;
    const IndexedMessage message = previous_.message(*known);
    const bool is_unchanged = message.name == listed.name && message.folder == listed.folder &&
                              message.stored_octets != unmeasured;
    fates_[*known] = {file, true, is_unchanged};
    return true;
}

// No message that is or was there has an id of theirs, nor do two of them have one id or name.
bool Comparison::are_newcomers_new() {
    IdSet names(newcomers_.size());
    IdSet ids(newcomers_.size());
    for (const Newcomer& newcomer : newcomers_) {
        if (!names.insert(newcomer.base) || !ids.insert(newcomer.wanted.id)) return false;
    }
    for (std::uint32_t at = 0; !newcomers_.empty() && at < previous_.count(); ++at) {
        if (ids.contains(previous_.listed(at).unique_id)) return false;
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

std::optional<AssignedIds> keep_ids(const UniqueIdPolicy& policy, const UniqueIdSources& sources,
                                    std::span<const ScannedFile> files) {
    return Comparison(policy, sources.lists, *sources.previous, files).run();
}

}  // namespace restante
