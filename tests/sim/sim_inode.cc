#include "sim/sim_inode.h"

#include <algorithm>
#include <cstring>

#include "base/assert.h"

namespace restante::sim {
namespace {

constexpr std::uint64_t text_octets_max = 256 * 1024 * 1024;
constexpr std::uint64_t directory_octets = 4096;

}  // namespace

std::size_t SimContent::read(std::uint64_t offset, std::span<char> target) const {
    if (offset >= octets_ || target.empty()) return 0;
    const auto count =
        static_cast<std::size_t>(std::min<std::uint64_t>(target.size(), octets_ - offset));
    if (generator_) {
        generator_(offset, target.first(count));
    } else {
        std::memcpy(target.data(), text_.data() + offset, count);
    }
    return count;
}

std::string SimContent::text() const {
    ASSERT(octets_ <= text_octets_max);
    std::string all(static_cast<std::size_t>(octets_), '\0');
    read(0, all);
    return all;
}

FileKind SimInode::file_kind() const {
    if (kind == InodeKind::regular) return FileKind::regular;
    return kind == InodeKind::directory ? FileKind::directory : FileKind::other;
}

FileStatus SimInode::status(std::uint64_t device) const {
    const std::uint64_t octets = kind == InodeKind::directory ? directory_octets : content.octets();
    return {.device = device,
            .inode = number,
            .octets = octets,
            .modified = modified,
            .changed = changed,
            .kind = file_kind()};
}

}  // namespace restante::sim
