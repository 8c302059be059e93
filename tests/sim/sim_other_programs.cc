// The part of SimFileSystem that tests use to play other programs: MTAs, IMAP servers, operators.

#include <cerrno>

#include "base/assert.h"
#include "sim/sim_file_system.h"

namespace restante::sim {

InodeRef SimFileSystem::find(std::string_view path) const {
    ASSERT(path.starts_with('/'));
    const std::expected<InodeRef, int> found = walk(root_, path);
    return found ? *found : nullptr;
}

InodeRef SimFileSystem::must_find(std::string_view path) const {
    InodeRef inode = find(path);
    ASSERT(inode != nullptr);
    return inode;
}

// Where `path` is or would be.
SimFileSystem::Place SimFileSystem::place(std::string_view path) const {
    ASSERT(path.starts_with('/'));
    const std::size_t slash = path.rfind('/');
    const std::string_view name = path.substr(slash + 1);
    ASSERT(!name.empty());
    return {slash == 0 ? root_ : must_find(path.substr(0, slash)), std::string(name)};
}

void SimFileSystem::make_directory(std::string_view path) {
    const InodeRef found = find(path);
    if (found != nullptr) {
        ASSERT(found->kind == InodeKind::directory);
        return;
    }
    const std::size_t slash = path.rfind('/');
    if (slash > 0) make_directory(path.substr(0, slash));
    set_entry(place(path), make_inode(InodeKind::directory, {}));
}

/// A name that is new is for good.
void SimFileSystem::write_file(std::string_view path, SimContent content) {
    InodeRef inode = make_inode(InodeKind::regular, std::move(content));
    const InodeRef former = find(path);
    if (former == nullptr) return set_entry(place(path), std::move(inode));
    change_lazily({{place(path), former, std::move(inode)}});
}

void SimFileSystem::overwrite_file(std::string_view path, SimContent content) {
    const InodeRef inode = must_find(path);
    ASSERT(inode->kind == InodeKind::regular);
    inode->content = std::move(content);
    inode->is_content_synced = true;
    touch(*inode);
}

void SimFileSystem::make_link(std::string_view path) {
    set_entry(place(path), make_inode(InodeKind::link, {}));
}

void SimFileSystem::make_fifo(std::string_view path) {
    set_entry(place(path), make_inode(InodeKind::fifo, {}));
}

void SimFileSystem::add_name(std::string_view path, std::string_view new_path) {
    const InodeRef inode = must_find(path);
    inode->changed = clock_.file_time();
    set_entry(place(new_path), inode);
}

void SimFileSystem::rename(std::string_view source, std::string_view target) {
    const InodeRef inode = must_find(source);
    inode->changed = clock_.file_time();
    change_lazily({{place(source), inode, nullptr}, {place(target), find(target), inode}});
}

void SimFileSystem::unlink(std::string_view path) {
    const InodeRef inode = must_find(path);
    inode->changed = clock_.file_time();
    change_lazily({{place(path), inode, nullptr}});
}

/// What was changed long ago is on stable storage meanwhile.
void SimFileSystem::change_lazily(std::vector<NameChange> names) {
    constexpr Duration writeback = std::chrono::seconds(30);  // XFS; ext4's journal: 5
    for (const NameChange& name : names) set_entry(name.place, name.present);
    if (!habits_.lazy_changes) return;
    const Instant now = clock_.now();
    while (!lazy_changes_.empty() && lazy_changes_.front().made + writeback < now)
        lazy_changes_.pop_front();
    lazy_changes_.push_back({std::move(names), now});
}

void SimFileSystem::lock(std::string_view path) {
    const InodeRef inode = must_find(path);
    ASSERT(inode->lock_holder == not_locked);
    inode->lock_holder = locked_by_another_process;
}

void SimFileSystem::unlock(std::string_view path) {
    const InodeRef inode = must_find(path);
    ASSERT(inode->lock_holder == locked_by_another_process);
    inode->lock_holder = not_locked;
}

void SimFileSystem::set_open_error(std::string_view path, int error) {
    ASSERT(error <= 0);
    must_find(path)->open_error = error;
}

std::string SimFileSystem::read_file(std::string_view path) const {
    return must_find(path)->content.text();
}

std::vector<std::string> SimFileSystem::list(std::string_view path) const {
    std::vector<std::string> names;
    for (const auto& [name, inode] : must_find(path)->entries) names.push_back(name);
    return names;
}

FileStatus SimFileSystem::status(std::string_view path) const {
    return must_find(path)->status(device_);
}

}  // namespace restante::sim
