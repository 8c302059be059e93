#include "ring/file_types.h"

#include <linux/magic.h>

#include <algorithm>
#include <array>

namespace restante {

bool is_local_storage(long file_system_type) {
    constexpr long xfs_magic = 0x58465342;
    constexpr long zfs_magic = 0x2FC12FC1;
    constexpr std::array<long, 7> known_local = {
        EXT4_SUPER_MAGIC,      xfs_magic,        BTRFS_SUPER_MAGIC, TMPFS_MAGIC,
        OVERLAYFS_SUPER_MAGIC, F2FS_SUPER_MAGIC, zfs_magic};
    return std::ranges::find(known_local, file_system_type) != known_local.end();
}

}  // namespace restante
