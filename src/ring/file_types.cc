#include "ring/file_types.h"

namespace restante {

void DirectoryListing::add(std::string_view name, std::uint64_t inode, FileKind kind) {
    entries_.push_back({static_cast<std::uint32_t>(names_.size()),
                        static_cast<std::uint32_t>(name.size()), inode, kind});
    names_.append(name);
}

void DirectoryListing::clear() {
    names_.clear();
    entries_.clear();
}

}  // namespace restante
