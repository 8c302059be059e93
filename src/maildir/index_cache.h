#pragma once
/// Open indexes of a reactor, so that a maildrop that is polled again is not even read.

#include <cstddef>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "maildir/index_file.h"

namespace restante {

/// The most recently used indexes, by the maildrop's path. Whoever takes one out compares its trust
/// with the folders: another reactor or program may have changed them.
class IndexCache {
public:
    /// Octets of all indexes in it; one that is larger by itself is not kept.
    static constexpr std::size_t octets_max = 64 * 1024 * 1024;

    std::shared_ptr<const MaildropIndex> find(std::string_view path);  ///< nullptr: not here
    void put(std::string_view path, std::shared_ptr<const MaildropIndex> index);

private:
    struct Entry {
        std::string path;
        std::shared_ptr<const MaildropIndex> index;
    };
    void erase(std::list<Entry>::iterator entry);

    std::list<Entry> entries_;  // most recently used first
    std::unordered_map<std::string_view, std::list<Entry>::iterator>
        by_path_;  // views into entries_
    std::size_t octets_ = 0;
};

}  // namespace restante
