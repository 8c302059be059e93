#pragma once
/// A message as a directory listing shows it.

#include <cstdint>
#include <string_view>

namespace restante {

/// The two folders of a Maildir that hold messages; tmp/ never does.
enum class Folder : std::uint8_t { fresh, current };  // new/, cur/

struct ScannedFile {
    std::string_view name;  ///< whoever listed the folder owns it
    std::uint64_t inode;
    Folder folder;
};

}  // namespace restante
