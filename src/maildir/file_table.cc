#include "maildir/file_table.h"

namespace restante {

FileTable::FileTable(std::size_t files_max) : names_(files_max) { firsts_.reserve(files_max); }

bool FileTable::add(std::string_view base, std::uint64_t inode, std::uint32_t position) {
    const std::uint64_t hash = NameTable::hash(base);
    const std::optional<std::uint32_t> first = first_of(base, hash);
    if (!first) {
        names_.insert(hash, static_cast<std::uint32_t>(firsts_.size()));
        firsts_.push_back({base, inode, {position, false}});
        return true;
    }
    if (firsts_[*first].inode == inode) return false;
    firsts_[*first].name.is_shared = true;
    return others_.try_emplace({*first, inode}, position).second;
}

std::optional<std::uint32_t> FileTable::find(std::string_view base, std::uint64_t inode) const {
    const std::optional<std::uint32_t> first = first_of(base, NameTable::hash(base));
    if (!first) return std::nullopt;
    if (firsts_[*first].inode == inode) return firsts_[*first].name.position;
    const auto other = others_.find({*first, inode});
    if (other == others_.end()) return std::nullopt;
    return other->second;
}

std::optional<FileTable::Name> FileTable::name(std::string_view base) const {
    const std::optional<std::uint32_t> first = first_of(base, NameTable::hash(base));
    if (!first) return std::nullopt;
    return firsts_[*first].name;
}

std::optional<std::uint32_t> FileTable::first_of(std::string_view base, std::uint64_t hash) const {
    std::optional<std::uint32_t> found;
    names_.visit(hash, [&](std::uint32_t at) {
        if (firsts_[at].base == base) found = at;
        return found.has_value();
    });
    return found;
}

}  // namespace restante
