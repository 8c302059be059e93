#pragma once
/// What is known about files and directories without opening them.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/text_arena.h"

namespace restante {

/// Kernels before 6.13 stamp files with the time of the last timer tick (1 to 10 ms): what changed
/// this short before it was read may change again and show the same times. Two ticks at 100 Hz.
inline constexpr Duration file_time_granularity = std::chrono::milliseconds(20);

/// Whether a file system of this type (statfs f_type) is local: what it has cached it answers
/// without waiting for another machine or process. All others are far storage: NFS, FUSE.
bool is_local_storage(long file_system_type);

enum class FileKind : std::uint8_t { regular, directory, other };

/// What fstat answers, as far as a maildrop cares.
struct FileStatus {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::uint64_t octets = 0;
    WallTime modified;
    WallTime changed;
    FileKind kind = FileKind::other;
    friend bool operator==(const FileStatus&, const FileStatus&) = default;
};

/// The entries of a directory, without "." and "..", in no order.
class DirectoryListing {
public:
    struct Entry {
        std::string_view name;  ///< the listing owns it
        std::uint64_t inode;
        FileKind kind;  ///< of the entry itself: a symbolic link is `other`
    };
    void add(std::string_view name, std::uint64_t inode, FileKind kind) {
        entries_.push_back({names_.add(name), inode, kind});
    }
    void clear() { *this = DirectoryListing(); }
    std::span<const Entry> entries() const { return entries_; }
    /// What it takes.
    std::size_t octets() const { return names_.octets() + entries_.capacity() * sizeof(Entry); }

private:
    TextArena names_;
    std::vector<Entry> entries_;
};

/// One file to unlink, if it still is the one meant.
struct Removal {
    int directory;     ///< descriptor
    std::string name;  ///< in it
    std::uint64_t device;
    std::uint64_t inode;
    /// 0 removed; -ENOENT no such name; -ESTALE the name is another file now (not removed); else
    /// -errno.
    int result = 0;
    /// Of a file that was removed: it has other names (hard links) still, wherever.
    bool has_other_names = false;
};

}  // namespace restante
