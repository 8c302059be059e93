#pragma once
/// The file system as the seeder needs it: folders and files made new, with an owner. Every error
/// is a sentence without a full stop.

#include <sys/types.h>

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "base/fd.h"

namespace pop3load {

struct Owner {
    uid_t user;
    gid_t group;
};
/// "USER" (with the user's own group) or "USER:GROUP", names or numbers; nobody for "".
std::expected<std::optional<Owner>, std::string> find_owner(const std::string& text);

using Done = std::expected<void, std::string>;

/// "cannot make PATH: No space left on device", from errno.
std::unexpected<std::string> cannot(std::string_view what, std::string_view path);

/// `path` and the folders above it that are missing.
Done make_folders(const std::string& path, const std::optional<Owner>& owner);
/// `path` must not be there.
Done make_folder(const std::string& path, const std::optional<Owner>& owner);
std::expected<restante::Fd, std::string> open_folder(const std::string& path);

/// A file that is not there yet, in `folder`, whose path is `folder_path`.
struct NewFile {
    int folder;
    std::string_view folder_path;
    const char* name;
    std::string_view octets;
};
Done write_new_file(const NewFile& file, const std::optional<Owner>& owner);
/// Where `folder` has the name already: its seed was used there before.
std::string name_is_taken(std::string_view folder_path);

/// False where it does not exist.
std::expected<bool, std::string> has_entries(const std::string& path);
/// Whether the file system that `path` is or will be on has room for so much.
Done check_room(const std::string& path, std::uint64_t octets, std::uint64_t files);

}  // namespace pop3load
