#pragma once
/// A simulated disk: what the server asks of it, what other programs (played by tests) do to it,
/// and what is left after a power cut.

#include <cstdint>
#include <deque>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ring/operation.h"
#include "sim/sim_clock.h"
#include "sim/sim_inode.h"
#include "sim/sim_random.h"

namespace restante::sim {

/// Paths are absolute. The server's changes are on stable storage only when synced. Other programs
/// sync what they create; what they rename, replace or unlink may take half a minute. Links are
/// never followed, not even on the way (fstatat would; a mail root behind a link is no case for the
/// simulator).
class SimFileSystem {
public:
    struct Habits {
        bool reuse_inodes;  ///< a new file gets the number of the last file that ended
        bool lazy_changes;  ///< SimOptions
    };
    SimFileSystem(SimClock& clock, Habits habits);

    // Other programs; that a path they need is there is asserted.
    /// With what leads to it; may be there.
    void make_directory(std::string_view path);
    /// A new file under its own inode number, in place of the one that had the name.
    void write_file(std::string_view path, SimContent content);
    /// The same inode with another content.
    void overwrite_file(std::string_view path, SimContent content);
    void make_link(std::string_view path);  ///< symbolic; to where does not matter
    void make_fifo(std::string_view path);
    void add_name(std::string_view path, std::string_view new_path);  ///< a hard link
    /// A file at `target` is replaced.
    void rename(std::string_view source, std::string_view target);
    void unlink(std::string_view path);  ///< a file, or a directory with all that is in it
    /// As flock(2) by another process; the lock must be free.
    void lock(std::string_view path);
    void unlock(std::string_view path);

    // Misfortunes.
    /// Opening it fails with `error` (negative); 0: opens again.
    void set_open_error(std::string_view path, int error);
    void set_full(bool full) { full_ = full; }                      ///< -ENOSPC
    void set_read_only(bool read_only) { read_only_ = read_only; }  ///< -EROFS
    void set_device(std::uint64_t device) { device_ = device; }     ///< mounted anew

    // Looking.
    bool exists(std::string_view path) const { return find(path) != nullptr; }
    std::string read_file(std::string_view path) const;
    std::vector<std::string> list(std::string_view path) const;  ///< sorted
    FileStatus status(std::string_view path) const;
    /// nullptr where nothing is.
    InodeRef find(std::string_view path) const;

    // The server; errors are negative. `root` stands for AT_FDCWD.
    const InodeRef& root() const { return root_; }
    std::uint64_t device() const { return device_; }
    /// What `path` names beneath `start`; a link as last component is what it names.
    std::expected<InodeRef, int> walk(const InodeRef& start, std::string_view path) const;
    std::expected<InodeRef, int> open(const InodeRef& start, std::string_view path,
                                      Request::Open what) const;
    int remove(const InodeRef& directory, Removal& removal);
    int sync(const InodeRef& inode);
    /// `durable`: on stable storage, too, unless power is lost on the way.
    int replace_file(const InodeRef& directory, std::string_view name, std::string content,
                     bool durable = false);
    /// `name` in `directory`, made empty if it is not there.
    std::expected<InodeRef, int> open_or_create(const InodeRef& directory, std::string_view name);

    // Power.
    /// Changes (each remove, sync and replace_file that succeeded) made by the server so far.
    std::uint64_t changes() const { return changes_; }
    /// Power is lost just after `changes` more (>= 1): later ones fail and change nothing.
    void lose_power_after(std::uint64_t changes);
    bool has_lost_power() const { return !has_power_; }
    /// From now on changes by the server fail, as after a power cut.
    void stop() { has_power_ = false; }
    /// The server may go on; nothing was lost but its locks.
    void restore_process();
    /// Power returns. Of what was not synced, each name is as before or as after, and content is
    /// whole, cut off or zeros, all by `random`.
    void restore_power(SimRandom& random);

private:
    struct Place {
        InodeRef directory;
        std::string name;
    };
    struct NameChange {
        Place place;
        InodeRef former;   // null: nothing was there
        InodeRef present;  // likewise
    };
    /// By another program, and on no stable storage yet: all of its names, or none.
    struct LazyChange {
        std::vector<NameChange> names;
        Instant made;
    };
    InodeRef make_inode(InodeKind kind, SimContent content);
    std::uint64_t inode_number();
    Place place(std::string_view path) const;
    InodeRef must_find(std::string_view path) const;
    void set_entry(const Place& place, InodeRef inode);
    void set_entry_unsynced(const Place& place, InodeRef inode);
    void touch(SimInode& inode);
    void count_change();
    static void end_locks(SimInode& inode);
    static bool has_name(const SimInode& directory, const SimInode& inode);
    void settle(SimInode& inode, SimRandom& random);
    void settle_names(SimInode& directory, SimRandom& random);
    void tear(SimInode& file, SimRandom& random);
    void change_lazily(std::vector<NameChange> names);
    void undo_lazy_changes(SimRandom& random);

    SimClock& clock_;
    const Habits habits_;
    const std::shared_ptr<std::vector<std::uint64_t>> free_numbers_;
    std::uint64_t numbers_given_ = 1;
    std::uint64_t device_ = 0xFD01;
    InodeRef root_;
    std::deque<LazyChange> lazy_changes_;  // in the order in which they were made
    bool full_ = false;
    bool read_only_ = false;
    bool has_power_ = true;
    std::uint64_t changes_ = 0;
    std::optional<std::uint64_t> changes_left_;
};

}  // namespace restante::sim
