#include "sim/sim_file_system.h"

#include <algorithm>
#include <cerrno>
#include <set>
#include <utility>

#include "base/assert.h"

namespace restante::sim {
namespace {

constexpr std::size_t name_octets_max = 4095;  // most stop at 255; FUSE goes on to PATH_MAX

/// The first component of `path`, which is cut off it; "" when there is none left.
std::string_view next_component(std::string_view& path) {
    path.remove_prefix(std::min(path.find_first_not_of('/'), path.size()));
    const std::string_view component = path.substr(0, path.find('/'));
    path.remove_prefix(component.size());
    return component;
}

}  // namespace

SimFileSystem::SimFileSystem(SimClock& clock, Habits habits)
    : clock_(clock),
      habits_(habits),
      free_numbers_(std::make_shared<std::vector<std::uint64_t>>()),
      root_(make_inode(InodeKind::directory, {})) {}

InodeRef SimFileSystem::make_inode(InodeKind kind, SimContent content) {
    const auto give_back = [free = free_numbers_](SimInode* inode) {
        free->push_back(inode->number);
        delete inode;
    };
    InodeRef inode(new SimInode, give_back);
    inode->number = inode_number();
    inode->kind = kind;
    inode->content = std::move(content);
    touch(*inode);
    inode->synced_modified = inode->modified;
    inode->synced_changed = inode->changed;
    return inode;
}

std::uint64_t SimFileSystem::inode_number() {
    if (!habits_.reuse_inodes || free_numbers_->empty()) return ++numbers_given_;
    const std::uint64_t number = free_numbers_->back();
    free_numbers_->pop_back();
    return number;
}

std::expected<InodeRef, int> SimFileSystem::walk(const InodeRef& start,
                                                 std::string_view path) const {
    if (path.empty()) return std::unexpected(-ENOENT);
    InodeRef at = start;
    for (;;) {
        const std::string_view component = next_component(path);
        if (component.empty()) return at;
        if (at->kind == InodeKind::link) return std::unexpected(-ELOOP);
        if (at->kind != InodeKind::directory) return std::unexpected(-ENOTDIR);
        if (component.size() > name_octets_max) return std::unexpected(-ENAMETOOLONG);
        if (component == "..") return std::unexpected(-EXDEV);
        if (component == ".") continue;
        const auto entry = at->entries.find(std::string(component));
        if (entry == at->entries.end()) return std::unexpected(-ENOENT);
        at = InodeRef(entry->second);
    }
}

std::expected<InodeRef, int> SimFileSystem::open(const InodeRef& start, std::string_view path,
                                                 Request::Open what) const {
    std::expected<InodeRef, int> found = walk(start, path);
    if (!found) return found;
    const SimInode& inode = **found;
    if (inode.kind == InodeKind::link) return std::unexpected(-ELOOP);
    const bool is_told = what != Request::Open::place;  // O_PATH asks no file system
    if (is_told && inode.open_error != 0) return std::unexpected(inode.open_error);
    if (what == Request::Open::file && inode.kind != InodeKind::regular)
        return std::unexpected(-EINVAL);
    if (what != Request::Open::file && inode.kind != InodeKind::directory) {
        return std::unexpected(-ENOTDIR);
    }
    return found;
}

int SimFileSystem::remove(const InodeRef& directory, Removal& removal) {
    ASSERT(removal.name.find('/') == std::string::npos);
    if (!has_power_) return -EIO;
    const std::expected<InodeRef, int> found = walk(directory, removal.name);
    if (!found) return found.error();
    if (device_ != removal.device || (*found)->number != removal.inode) return -ESTALE;
    if ((*found)->kind == InodeKind::directory) return -EISDIR;
    if (read_only_) return -EROFS;
    set_entry_unsynced({directory, removal.name}, nullptr);
    (*found)->changed = clock_.file_time();
    removal.has_other_names = found->use_count() > 2 && has_name(*root_, **found);
    count_change();
    return 0;
}

bool SimFileSystem::has_name(const SimInode& directory, const SimInode& inode) {
    return std::ranges::any_of(directory.entries, [&inode](const auto& entry) {
        return entry.second.get() == &inode || has_name(*entry.second, inode);
    });
}

int SimFileSystem::sync(const InodeRef& inode) {
    if (!has_power_) return -EIO;
    inode->is_content_synced = true;
    inode->before.clear();
    inode->synced_modified = inode->modified;
    inode->synced_changed = inode->changed;
    inode->has_other_changes = false;
    std::erase_if(lazy_changes_, [&inode](const LazyChange& change) {
        return std::ranges::any_of(change.names, [&inode](const NameChange& name) {
            return name.place.directory == inode;
        });
    });
    count_change();
    return 0;
}

int SimFileSystem::replace_file(const InodeRef& directory, std::string_view name,
                                std::string content, bool durable) {
    ASSERT(name.find('/') == std::string_view::npos);
    if (!has_power_) return -EIO;
    if (read_only_) return -EROFS;
    if (full_) return -ENOSPC;
    const std::expected<InodeRef, int> former = walk(directory, name);
    if (!former && former.error() != -ENOENT) return former.error();
    if (former && (*former)->kind == InodeKind::directory) return -EISDIR;
    InodeRef inode = make_inode(InodeKind::regular, std::move(content));
    inode->is_content_synced = durable;
    set_entry_unsynced({directory, std::string(name)}, std::move(inode));
    count_change();
    return durable ? sync(directory) : 0;
}

std::expected<InodeRef, int> SimFileSystem::open_or_create(const InodeRef& directory,
                                                           std::string_view name) {
    std::expected<InodeRef, int> found = open(directory, name, Request::Open::file);
    if (found || found.error() != -ENOENT) return found;
    if (!has_power_) return std::unexpected(-EIO);
    if (read_only_) return std::unexpected(-EROFS);
    if (full_) return std::unexpected(-ENOSPC);
    InodeRef inode = make_inode(InodeKind::regular, {});
    set_entry({directory, std::string(name)}, inode);
    return inode;
}

void SimFileSystem::touch(SimInode& inode) {
    inode.modified = clock_.file_time();
    inode.changed = inode.modified;
}

// On stable storage at once.
void SimFileSystem::set_entry(const Place& place, InodeRef inode) {
    SimInode& directory = *place.directory;
    ASSERT(directory.kind == InodeKind::directory);
    ASSERT(place.name.size() <= name_octets_max);
    if (inode == nullptr) {
        directory.entries.erase(place.name);
    } else {
        directory.entries[place.name] = std::move(inode);
    }
    directory.before.erase(place.name);
    touch(directory);
    if (directory.before.empty()) {
        directory.synced_modified = directory.modified;
        directory.synced_changed = directory.changed;
    } else {
        directory.has_other_changes = true;
    }
}

void SimFileSystem::set_entry_unsynced(const Place& place, InodeRef inode) {
    SimInode& directory = *place.directory;
    const auto former = directory.entries.find(place.name);
    directory.before.try_emplace(place.name,
                                 former == directory.entries.end() ? nullptr : former->second);
    if (inode == nullptr) {
        directory.entries.erase(place.name);
    } else {
        directory.entries[place.name] = std::move(inode);
    }
    touch(directory);
}

void SimFileSystem::lose_power_after(std::uint64_t changes) {
    ASSERT(changes >= 1);
    changes_left_ = changes;
}

void SimFileSystem::count_change() {
    ++changes_;
    if (changes_left_ && --*changes_left_ == 0) has_power_ = false;
}

void SimFileSystem::restore_power(SimRandom& random) {
    has_power_ = true;
    changes_left_.reset();
    settle(*root_, random);
    undo_lazy_changes(random);
}

// The last first, as a journal loses its end: where a later change of a name stays, the earlier do.
void SimFileSystem::undo_lazy_changes(SimRandom& random) {
    std::set<std::pair<const SimInode*, std::string>> kept;
    const auto may_be_undone = [&kept](const NameChange& name) {
        const SimInode* directory = name.place.directory.get();
        const auto found = directory->entries.find(name.place.name);
        const InodeRef now = found == directory->entries.end() ? nullptr : found->second;
        return now == name.present && !kept.contains({directory, name.place.name});
    };
    for (; !lazy_changes_.empty(); lazy_changes_.pop_back()) {
        const std::vector<NameChange>& names = lazy_changes_.back().names;
        const bool is_undone = std::ranges::all_of(names, may_be_undone) && random.coin();
        for (const NameChange& name : names) {
            if (is_undone) set_entry(name.place, name.former);
            if (!is_undone) kept.emplace(name.place.directory.get(), name.place.name);
        }
    }
}

void SimFileSystem::restore_process() {
    has_power_ = true;
    changes_left_.reset();
    end_locks(*root_);
}

void SimFileSystem::end_locks(SimInode& inode) {
    if (inode.lock_holder != locked_by_another_process) inode.lock_holder = not_locked;
    for (const auto& [name, entry] : inode.entries) end_locks(*entry);
}

void SimFileSystem::settle(SimInode& inode, SimRandom& random) {
    inode.lock_holder = not_locked;
    if (!inode.before.empty()) settle_names(inode, random);
    if (!inode.is_content_synced) tear(inode, random);
    for (const auto& [name, entry] : inode.entries) settle(*entry, random);
}

// The directory's times go back with its names, as they share a transaction of the journal. Where
// some names went back and others did not, nothing that was ever recorded of the directory may look
// current; nor where all went back within one tick of the clock, since a journal that loses a
// change loses what was recorded later, too, and here each directory settles for itself.
void SimFileSystem::settle_names(SimInode& directory, SimRandom& random) {
    std::size_t undone = 0;
    for (auto& [name, former] : directory.before) {
        if (random.coin()) continue;
        ++undone;
        const auto entry = directory.entries.find(name);
        const bool was_written =
            entry != directory.entries.end() && !entry->second->is_content_synced;
        if (was_written && random.coin())
            directory.entries[name + ".tmp"] = entry->second;  // not yet renamed
        if (former == nullptr) {
            directory.entries.erase(name);
        } else {
            directory.entries[name] = former;
        }
    }
    const bool is_as_synced = undone == directory.before.size() && !directory.has_other_changes &&
                              directory.changed != directory.synced_changed;
    directory.before.clear();
    directory.has_other_changes = false;
    if (undone > 0 && is_as_synced) {
        directory.modified = directory.synced_modified;
        directory.changed = directory.synced_changed;
    } else if (undone > 0) {
        touch(directory);
    }
    directory.synced_modified = directory.modified;
    directory.synced_changed = directory.changed;
}

void SimFileSystem::tear(SimInode& file, SimRandom& random) {
    file.is_content_synced = true;
    std::string text = file.content.text();
    const std::size_t kept = static_cast<std::size_t>(random.below(text.size() + 1));
    switch (random.below(3)) {
        case 0: return;
        case 1: text.resize(kept); break;
        default:
            std::fill(text.begin() + static_cast<std::ptrdiff_t>(kept), text.end(), '\0');
            break;
    }
    file.content = std::move(text);
}

}  // namespace restante::sim
