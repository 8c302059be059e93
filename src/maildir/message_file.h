#pragma once
/// A message as a directory listing shows it.

#include <cstdint>
#include <string_view>

#include "maildir/maildir_name.h"

namespace restante {

/// The two folders of a Maildir that hold messages; tmp/ never does.
enum class Folder : std::uint8_t { fresh, current };  // new/, cur/

struct ScannedFile {
    ScannedFile(std::string_view listed_name, std::uint64_t listed_inode, Folder listed)
        : name(listed_name),
          inode(listed_inode),
          base_octets(static_cast<std::uint32_t>(base_name(listed_name).size())),
          folder(listed) {}
    std::string_view base() const { return name.substr(0, base_octets); }

    std::string_view name;  ///< whoever listed the folder owns it
    std::uint64_t inode;
    std::uint32_t base_octets;
    Folder folder;
};

}  // namespace restante
