#include "seed_folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <vector>

#include "base/decimal.h"
#include "readable.h"

namespace pop3load {
namespace {

constexpr mode_t folder_mode = 0700;
constexpr mode_t file_mode = 0600;
/// What the names' lookups may need.
constexpr std::size_t account_octets = 64 * 1024;

/// The user's own group too, where the user has an entry.
std::optional<Owner> find_user(const std::string& text) {
    std::vector<char> space(account_octets);
    passwd entry{};
    passwd* found = nullptr;
    const std::optional<uid_t> number = restante::parse_decimal<uid_t>(text);
    if (number) {
        ::getpwuid_r(*number, &entry, space.data(), space.size(), &found);
        return Owner{*number, found != nullptr ? found->pw_gid : *number};
    }
    ::getpwnam_r(text.c_str(), &entry, space.data(), space.size(), &found);
    if (found == nullptr) return std::nullopt;
    return Owner{found->pw_uid, found->pw_gid};
}

std::optional<gid_t> find_group(const std::string& text) {
    const std::optional<gid_t> number = restante::parse_decimal<gid_t>(text);
    if (number) return number;
    std::vector<char> space(account_octets);
    group entry{};
    group* found = nullptr;
    ::getgrnam_r(text.c_str(), &entry, space.data(), space.size(), &found);
    if (found == nullptr) return std::nullopt;
    return found->gr_gid;
}

/// False where it is there already.
std::expected<bool, std::string> make_unless_there(const std::string& path,
                                                   const std::optional<Owner>& owner) {
    if (::mkdir(path.c_str(), folder_mode) != 0) {
        if (errno == EEXIST) return false;
        return cannot("make", path);
    }
    if (owner && ::chown(path.c_str(), owner->user, owner->group) != 0) {
        return cannot("change the owner of", path);
    }
    return true;
}

Done write_all(int file, std::string_view octets) {
    while (!octets.empty()) {
        const ssize_t written = ::write(file, octets.data(), octets.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return std::unexpected(std::string(std::strerror(errno)));
        octets.remove_prefix(static_cast<std::size_t>(written));
    }
    return {};
}

}  // namespace

std::expected<std::optional<Owner>, std::string> find_owner(const std::string& text) {
    if (text.empty()) return std::nullopt;
    const std::size_t colon = text.find(':');
    const std::string user = text.substr(0, colon);
    std::optional<Owner> owner = find_user(user);
    if (!owner)
        return std::unexpected(fmt::format("there is no user \"{}\" to own the mail", user));
    if (colon == std::string::npos) return owner;
    const std::string group = text.substr(colon + 1);
    const std::optional<gid_t> found = find_group(group);
    if (!found) return std::unexpected(fmt::format("there is no group \"{}\"", group));
    owner->group = *found;
    return owner;
}

std::unexpected<std::string> cannot(std::string_view what, std::string_view path) {
    return std::unexpected(fmt::format("cannot {} {}: {}", what, path, std::strerror(errno)));
}

Done make_folders(const std::string& path, const std::optional<Owner>& owner) {
    struct stat status {};
    if (::stat(path.c_str(), &status) == 0) {
        if (S_ISDIR(status.st_mode)) return {};
        return std::unexpected(fmt::format("{} is no folder", path));
    }
    const std::size_t slash = path.rfind('/');
    if (slash != std::string::npos && slash > 0) {
        const Done above = make_folders(path.substr(0, slash), owner);
        if (!above) return above;
    }
    const auto made = make_unless_there(path, owner);  // another thread may have made it
    return made ? Done() : std::unexpected(made.error());
}

Done make_folder(const std::string& path, const std::optional<Owner>& owner) {
    const auto made = make_unless_there(path, owner);
    if (!made) return std::unexpected(made.error());
    return *made ? Done() : std::unexpected(name_is_taken(path));
}

std::expected<restante::Fd, std::string> open_folder(const std::string& path) {
    const int folder = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) return cannot("open", path);
    return restante::Fd(folder);
}

Done write_new_file(const NewFile& file, const std::optional<Owner>& owner) {
    const int made = ::openat(file.folder, file.name,
                              O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, file_mode);
    if (made < 0 && errno == EEXIST) return std::unexpected(name_is_taken(file.folder_path));
    const std::string path = made < 0 ? fmt::format("{}/{}", file.folder_path, file.name) : "";
    if (made < 0) return cannot("make", path);
    const restante::Fd target(made);
    if (owner && ::fchown(target.get(), owner->user, owner->group) != 0) {
        return cannot("change the owner of a file in", file.folder_path);
    }
    const Done written = write_all(target.get(), file.octets);
    if (!written) {
        return std::unexpected(
            fmt::format("cannot write {}/{}: {}", file.folder_path, file.name, written.error()));
    }
    return {};
}

std::string name_is_taken(std::string_view folder_path) {
    return fmt::format("{} has mail of this seed already: give another --seed to add to it",
                       folder_path);
}

std::expected<bool, std::string> has_entries(const std::string& path) {
    const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir(path.c_str()), ::closedir);
    if (!folder && errno == ENOENT) return false;
    if (!folder) return cannot("read", path);
    while (const dirent* entry = ::readdir(folder.get())) {
        const std::string_view name = entry->d_name;
        if (name != "." && name != ".." && name != "lost+found") return true;
    }
    return false;
}

Done check_room(const std::string& path, std::uint64_t octets, std::uint64_t files) {
    std::string existing = path;
    struct statvfs room {};
    while (::statvfs(existing.c_str(), &room) != 0) {
        if (errno != ENOENT || existing.size() <= 1) return cannot("ask for the room of", existing);
        const std::size_t slash = existing.rfind('/');
        existing.resize(slash == 0 || slash == std::string::npos ? 1 : slash);
    }
    const std::uint64_t free_octets = std::uint64_t{room.f_bavail} * room.f_frsize;
    if (octets > free_octets) {
        return std::unexpected(fmt::format(
            "{} has {} free and this takes about {}: make less of it, or a pool with --pool", path,
            octets_text(static_cast<double>(free_octets)),
            octets_text(static_cast<double>(octets))));
    }
    // Some file systems make inodes as they need them and say 0 of 0.
    if (room.f_files > 0 && files > room.f_favail) {
        return std::unexpected(fmt::format(
            "{} has {} free inodes and this takes {}: make fewer messages, or a pool with --pool",
            path, count_text(room.f_favail), count_text(files)));
    }
    return {};
}

}  // namespace pop3load
