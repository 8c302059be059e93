#pragma once
/// Open indexes of a reactor, so that a maildrop that is polled again is not even read.

#include <cstddef>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "maildir/index_file.h"

namespace restante {

/// An index, and restante.index as it was when the two were last known to agree, or when writing
/// it had just failed. Nothing: not known.
struct CachedIndex {
    std::shared_ptr<const MaildropIndex> index;  ///< nullptr: none
    std::optional<FileIdentity> file;
    /// The maildrop itself, just before `file` and the lists of other servers were looked at: while
    /// it is the same, no name in it has come, gone, or become another file.
    std::optional<FileIdentity> maildrop = std::nullopt;
};

/// The most recently used indexes, by the maildrop's path. Whoever takes one out compares its trust
/// with the folders, and its file with what is there: another reactor or program may have changed
/// them.
class IndexCache {
public:
    /// `octets_max`: of all indexes in it, with what each costs beside its own; one that is larger
    /// by itself is not kept.
    explicit IndexCache(std::size_t octets_max);

    CachedIndex find(std::string_view path);
    /// For a large one room is made by and by: so many have to go that others would wait for that.
    /// It is kept once it has come often enough.
    void put(std::string_view path, CachedIndex cached);

    /// Indexes that one put() drives out at most: a third of a millisecond.
    static constexpr int driven_out_max = 1024;

private:
    struct Entry {
        std::string path;
        CachedIndex cached;
    };
    void erase(std::list<Entry>::iterator entry);

    const std::size_t octets_max_;
    std::list<Entry> entries_;  // most recently used first
    std::unordered_map<std::string_view, std::list<Entry>::iterator>
        by_path_;  // views into entries_
    std::size_t octets_ = 0;
};

}  // namespace restante
