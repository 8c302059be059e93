#pragma once
/// Landlock's system calls, ABI 1 to 7 (Linux 5.13 to 6.15): the headers of Debian 12 end at ABI 2.
/// Names and numbers are those of <linux/landlock.h>; see landlock(7).

#include <sys/syscall.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>

namespace restante::landlock {

// ABI 1
inline constexpr std::uint64_t fs_execute = 1 << 0;
inline constexpr std::uint64_t fs_write_file = 1 << 1;
inline constexpr std::uint64_t fs_read_file = 1 << 2;
inline constexpr std::uint64_t fs_read_dir = 1 << 3;
inline constexpr std::uint64_t fs_remove_dir = 1 << 4;
inline constexpr std::uint64_t fs_remove_file = 1 << 5;
inline constexpr std::uint64_t fs_make_char = 1 << 6;
inline constexpr std::uint64_t fs_make_dir = 1 << 7;
inline constexpr std::uint64_t fs_make_reg = 1 << 8;
inline constexpr std::uint64_t fs_make_sock = 1 << 9;
inline constexpr std::uint64_t fs_make_fifo = 1 << 10;
inline constexpr std::uint64_t fs_make_block = 1 << 11;
inline constexpr std::uint64_t fs_make_sym = 1 << 12;
inline constexpr std::uint64_t fs_refer = 1 << 13;      // ABI 2: rename and link across folders
inline constexpr std::uint64_t fs_truncate = 1 << 14;   // ABI 3
inline constexpr std::uint64_t fs_ioctl_dev = 1 << 15;  // ABI 5: ioctl of devices

inline constexpr std::uint64_t net_bind_tcp = 1 << 0;  // ABI 4
inline constexpr std::uint64_t net_connect_tcp = 1 << 1;

inline constexpr std::uint64_t scope_abstract_unix_socket = 1 << 0;  // ABI 6
inline constexpr std::uint64_t scope_signal = 1 << 1;

/// A kernel takes a longer one if all that it does not know is 0.
struct RulesetAttributes {
    std::uint64_t handled_fs = 0;
    std::uint64_t handled_net = 0;  ///< ABI 4
    std::uint64_t scoped = 0;       ///< ABI 6
};

enum class RuleType : int { path_beneath = 1, net_port = 2 };

struct [[gnu::packed]] PathBeneath {
    std::uint64_t allowed;
    std::int32_t parent;  ///< a descriptor, O_PATH will do
};

struct NetPort {
    std::uint64_t allowed;
    std::uint64_t port;  ///< in host byte order
};

/// The version that the kernel has, or -1 with errno: ENOSYS (not built, or hidden by a seccomp
/// filter), EOPNOTSUPP (turned off at boot).
inline int abi() {
    constexpr unsigned create_ruleset_version = 1;
    return static_cast<int>(
        ::syscall(SYS_landlock_create_ruleset, nullptr, 0, create_ruleset_version));
}

/// A descriptor, or -1.
inline int create_ruleset(const RulesetAttributes& attributes) {
    return static_cast<int>(
        ::syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes, 0));
}

/// 0 or -1. `attributes` is a PathBeneath or a NetPort.
inline int add_rule(int ruleset, RuleType type, const void* attributes) {
    return static_cast<int>(
        ::syscall(SYS_landlock_add_rule, ruleset, static_cast<int>(type), attributes, 0));
}

/// Of the calling thread and what it starts from now on. 0 or -1.
inline int restrict_self(int ruleset) {
    return static_cast<int>(::syscall(SYS_landlock_restrict_self, ruleset, 0));
}

}  // namespace restante::landlock
