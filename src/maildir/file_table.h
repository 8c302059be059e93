#pragma once
/// Files by base name and inode.

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "maildir/name_table.h"

namespace restante {

/// From base name and inode to a position in somebody's array. Constant time where names are
/// unique, logarithmic in the number of files that share one. Names live elsewhere. Costs some 20
/// ns and 50 octets a file.
class FileTable {
public:
    explicit FileTable(std::size_t files_max);

    /// False: the pair is there already, and `position` is not kept.
    bool add(std::string_view base, std::uint64_t inode, std::uint32_t position);
    std::optional<std::uint32_t> find(std::string_view base, std::uint64_t inode) const;

    struct Name {
        std::uint32_t position;  ///< of the file that was added first
        bool is_shared;          ///< others have that name too
    };
    std::optional<Name> name(std::string_view base) const;

private:
    struct First {
        std::string_view base;
        std::uint64_t inode;
        Name name;
    };
    std::optional<std::uint32_t> first_of(std::string_view base, std::uint64_t hash) const;

    std::vector<First> firsts_;
    NameTable names_;  // into firsts_
    // (position in firsts_, inode) -> position
    std::map<std::pair<std::uint32_t, std::uint64_t>, std::uint32_t> others_;
};

}  // namespace restante
