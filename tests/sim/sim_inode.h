#pragma once
/// What a simulated disk is made of.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>

#include "base/clock.h"
#include "ring/file_types.h"

namespace restante::sim {

/// The octets of a file: stored, or made when they are read (messages of gigabytes).
class SimContent {
public:
    /// Fills `target` with the octets that begin at `offset`; must always give the same ones.
    using Generator = std::function<void(std::uint64_t offset, std::span<char> target)>;

    SimContent() = default;
    SimContent(std::string text) : text_(std::move(text)), octets_(text_.size()) {}
    SimContent(const char* text) : SimContent(std::string(text)) {}
    SimContent(std::uint64_t octets, Generator generator)
        : octets_(octets), generator_(std::move(generator)) {}

    std::uint64_t octets() const { return octets_; }
    /// Octets read, fewer than asked only at the end.
    std::size_t read(std::uint64_t offset, std::span<char> target) const;
    /// All of it; generated files must be small enough.
    std::string text() const;

private:
    std::string text_;
    std::uint64_t octets_ = 0;
    Generator generator_;
};

enum class InodeKind : std::uint8_t { regular, directory, link, fifo };

struct SimInode;
using InodeRef = std::shared_ptr<SimInode>;

inline constexpr int not_locked = -1;
inline constexpr int locked_by_another_process = -2;

/// Lives as long as a name, a descriptor or what a power cut would bring back refers to it.
struct SimInode {
    std::uint64_t number = 0;
    InodeKind kind = InodeKind::regular;
    WallTime modified;
    WallTime changed;
    SimContent content;                       ///< regular
    std::map<std::string, InodeRef> entries;  ///< directory
    int open_error = 0;                       ///< with which opening it fails, 0 = it opens
    int lock_holder = not_locked;             ///< descriptor

    // What a power cut may undo.
    bool is_content_synced = true;
    /// Names that the server changed since the directory was synced, and what each was (null: not
    /// there).
    std::map<std::string, InodeRef> before;
    WallTime synced_modified;
    WallTime synced_changed;
    bool has_other_changes = false;  ///< by other programs, while `before` was not empty

    FileStatus status(std::uint64_t device) const;
    FileKind file_kind() const;
};

}  // namespace restante::sim
