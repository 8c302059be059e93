/// mirror_fs SOURCE MOUNTPOINT RULES: a FUSE file system that shows the folder SOURCE, and is slow
/// or fails where RULES say so (fault_rules.h). Runs until it is unmounted. Inode numbers and times
/// are those of SOURCE; flock(2) is the kernel's own; no links, no special files.

#define FUSE_USE_VERSION 312

#include <dirent.h>
#include <fcntl.h>
#include <fuse3/fuse.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>

#include "fault_rules.h"

namespace restante {
namespace {

/// Requests that wait must not make others wait: as many threads, and as many requests that the
/// kernel hands over unasked (reading ahead), as will ever be delayed at once.
constexpr unsigned threads_max = 512;
constexpr unsigned read_ahead_requests_max = 512;
/// What libfuse has for those who say nothing.
constexpr double cached_seconds = 1;

struct Mirror {
    int source;  ///< descriptor
    FaultRules rules;
};

/// What a file or directory was opened as: operations on it come without a path.
struct Opened {
    std::string path;
    int file = -1;
    DIR* directory = nullptr;
};

Mirror& mirror() { return *static_cast<Mirror*>(::fuse_get_context()->private_data); }

Opened& opened(const fuse_file_info& info) { return *reinterpret_cast<Opened*>(info.fh); }

/// Relative to the source.
const char* below(const char* path) { return path[1] == '\0' ? "." : path + 1; }

int negative_errno(std::int64_t result) { return result < 0 ? -errno : static_cast<int>(result); }

/// 0, or -errno: the operation has failed.
int suffer(const char* operation, std::string_view path) {
    const Fault fault = mirror().rules.fault_of(operation, path);
    if (fault.delay.count() > 0) std::this_thread::sleep_for(fault.delay);
    return -fault.error;
}

void* start(fuse_conn_info* connection, fuse_config* config) {
    connection->max_background = read_ahead_requests_max;
    connection->congestion_threshold = read_ahead_requests_max;
    config->use_ino = 1;
    config->nullpath_ok = 1;
    config->hard_remove = 1;
    config->entry_timeout = cached_seconds;
    config->attr_timeout = cached_seconds;
    return ::fuse_get_context()->private_data;
}

int get_attributes(const char* path, struct stat* status, fuse_file_info* info) {
    if (info == nullptr) {
        if (const int fault = suffer("getattr", path)) return fault;
        return negative_errno(::fstatat(mirror().source, below(path), status, AT_SYMLINK_NOFOLLOW));
    }
    if (const int fault = suffer("getattr", opened(*info).path)) return fault;
    return negative_errno(::fstat(opened(*info).file, status));
}

int open_file(const char* path, fuse_file_info* info) {
    if (const int fault = suffer("open", path)) return fault;
    const int file = ::openat(mirror().source, below(path), info->flags | O_NOFOLLOW | O_CLOEXEC);
    if (file < 0) return -errno;
    info->fh = reinterpret_cast<std::uint64_t>(new Opened{path, file});
    return 0;
}

/// The file is whose who asked, as it would be without this file system.
int create(const char* path, mode_t mode, fuse_file_info* info) {
    if (const int fault = suffer("create", path)) return fault;
    const int file =
        ::openat(mirror().source, below(path), info->flags | O_NOFOLLOW | O_CLOEXEC, mode);
    if (file < 0) return -errno;
    const fuse_context* const asked = ::fuse_get_context();
    if (::geteuid() == 0 && ::fchown(file, asked->uid, asked->gid) < 0) {
        const int error = errno;
        ::close(file);
        return -error;
    }
    info->fh = reinterpret_cast<std::uint64_t>(new Opened{path, file});
    return 0;
}

int read(const char*, char* target, size_t octets, off_t offset, fuse_file_info* info) {
    if (const int fault = suffer("read", opened(*info).path)) return fault;
    return negative_errno(::pread(opened(*info).file, target, octets, offset));
}

int write(const char*, const char* source, size_t octets, off_t offset, fuse_file_info* info) {
    if (const int fault = suffer("write", opened(*info).path)) return fault;
    return negative_errno(::pwrite(opened(*info).file, source, octets, offset));
}

/// Each close(2) asks for it, and waits.
int flush(const char*, fuse_file_info* info) { return suffer("flush", opened(*info).path); }

int release(const char*, fuse_file_info* info) {
    const std::unique_ptr<Opened> last(&opened(*info));
    if (last->directory != nullptr) return negative_errno(::closedir(last->directory));
    return negative_errno(::close(last->file));
}

int sync(const char*, int only_data, fuse_file_info* info) {
    if (const int fault = suffer("fsync", opened(*info).path)) return fault;
    const int file = opened(*info).file;
    return negative_errno(only_data != 0 ? ::fdatasync(file) : ::fsync(file));
}

int sync_directory(const char*, int, fuse_file_info* info) {
    if (const int fault = suffer("fsyncdir", opened(*info).path)) return fault;
    return negative_errno(::fsync(opened(*info).file));
}

int open_directory(const char* path, fuse_file_info* info) {
    if (const int fault = suffer("opendir", path)) return fault;
    const int file =
        ::openat(mirror().source, below(path), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (file < 0) return -errno;
    DIR* const directory = ::fdopendir(file);
    if (directory == nullptr) return -errno;
    info->fh = reinterpret_cast<std::uint64_t>(new Opened{path, file, directory});
    return 0;
}

/// The whole of it: libfuse hands it out in parts.
int read_directory(const char*, void* target, fuse_fill_dir_t fill, off_t, fuse_file_info* info,
                   fuse_readdir_flags) {
    if (const int fault = suffer("readdir", opened(*info).path)) return fault;
    DIR* const directory = opened(*info).directory;
    ::rewinddir(directory);
    errno = 0;
    while (const dirent* const entry = ::readdir(directory)) {
        struct stat status {};
        status.st_ino = entry->d_ino;
        status.st_mode = DTTOIF(entry->d_type);
        if (fill(target, entry->d_name, &status, 0, {}) != 0) return -ENOMEM;
    }
    return -errno;
}

int make_directory(const char* path, mode_t mode) {
    if (const int fault = suffer("mkdir", path)) return fault;
    if (::mkdirat(mirror().source, below(path), mode) < 0) return -errno;
    if (::geteuid() != 0) return 0;
    const fuse_context* const asked = ::fuse_get_context();
    return negative_errno(
        ::fchownat(mirror().source, below(path), asked->uid, asked->gid, AT_SYMLINK_NOFOLLOW));
}

int remove_directory(const char* path) {
    if (const int fault = suffer("rmdir", path)) return fault;
    return negative_errno(::unlinkat(mirror().source, below(path), AT_REMOVEDIR));
}

int remove_file(const char* path) {
    if (const int fault = suffer("unlink", path)) return fault;
    return negative_errno(::unlinkat(mirror().source, below(path), 0));
}

int rename(const char* from, const char* to, unsigned flags) {
    if (const int fault = suffer("rename", from)) return fault;
    const int source = mirror().source;
    return negative_errno(::renameat2(source, below(from), source, below(to), flags));
}

int change_mode(const char* path, mode_t mode, fuse_file_info*) {
    if (const int fault = suffer("chmod", path)) return fault;
    return negative_errno(::fchmodat(mirror().source, below(path), mode, 0));
}

int change_owner(const char* path, uid_t user, gid_t group, fuse_file_info*) {
    if (const int fault = suffer("chown", path)) return fault;
    return negative_errno(
        ::fchownat(mirror().source, below(path), user, group, AT_SYMLINK_NOFOLLOW));
}

int truncate(const char* path, off_t octets, fuse_file_info* info) {
    if (info != nullptr) {
        if (const int fault = suffer("truncate", opened(*info).path)) return fault;
        return negative_errno(::ftruncate(opened(*info).file, octets));
    }
    if (const int fault = suffer("truncate", path)) return fault;
    const int file = ::openat(mirror().source, below(path), O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
    if (file < 0) return -errno;
    const int result = negative_errno(::ftruncate(file, octets));
    ::close(file);
    return result;
}

int set_times(const char* path, const timespec times[2], fuse_file_info*) {
    if (const int fault = suffer("utimens", path)) return fault;
    return negative_errno(::utimensat(mirror().source, below(path), times, AT_SYMLINK_NOFOLLOW));
}

int file_system_status(const char* path, struct statvfs* status) {
    if (const int fault = suffer("statfs", path)) return fault;
    return negative_errno(::fstatvfs(mirror().source, status));
}

/// The names that rules use are those of fuse_operations, but "any". Of release and releasedir
/// there are none: nobody is told how these end.
constexpr fuse_operations operations() {
    fuse_operations table{};
    table.init = start;
    table.getattr = get_attributes;
    table.open = open_file;
    table.create = create;
    table.read = read;
    table.write = write;
    table.flush = flush;
    table.release = release;
    table.fsync = sync;
    table.opendir = open_directory;
    table.readdir = read_directory;
    table.releasedir = release;
    table.fsyncdir = sync_directory;
    table.mkdir = make_directory;
    table.rmdir = remove_directory;
    table.unlink = remove_file;
    table.rename = rename;
    table.chmod = change_mode;
    table.chown = change_owner;
    table.truncate = truncate;
    table.utimens = set_times;
    table.statfs = file_system_status;
    return table;
}

/// Permissions are the kernel's to check; when root serves it, it is for all users. The mount goes
/// with the process, however that ends.
int serve(Mirror& mirror, const char* mount_point) {
    static constexpr fuse_operations table = operations();
    std::string options = "default_permissions,auto_unmount,fsname=mirror,subtype=mirror";
    if (::geteuid() == 0) options += ",allow_other";
    fuse_args arguments = FUSE_ARGS_INIT(0, nullptr);
    for (const char* argument : {"mirror_fs", "-o", options.c_str()})
        ::fuse_opt_add_arg(&arguments, argument);
    fuse* const session = ::fuse_new(&arguments, &table, sizeof table, &mirror);
    int result = 1;
    if (session != nullptr && ::fuse_mount(session, mount_point) == 0) {
        fuse_loop_config* const loop = ::fuse_loop_cfg_create();
        ::fuse_loop_cfg_set_max_threads(loop, threads_max);
        ::fuse_loop_cfg_set_idle_threads(loop, threads_max);
        ::fuse_set_signal_handlers(::fuse_get_session(session));
        result = ::fuse_loop_mt(session, loop) < 0 ? 1 : 0;
        ::fuse_loop_cfg_destroy(loop);
        ::fuse_unmount(session);
    }
    if (session != nullptr) ::fuse_destroy(session);
    ::fuse_opt_free_args(&arguments);
    return result;
}

}  // namespace
}  // namespace restante

int main(int count, char** arguments) {
    if (count != 4) {
        std::fprintf(stderr, "usage: mirror_fs SOURCE MOUNTPOINT RULES\n");
        return 2;
    }
    const int source = ::open(arguments[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (source < 0) {
        std::perror(arguments[1]);
        return 1;
    }
    ::umask(0);
    restante::Mirror mirror{source, restante::FaultRules(arguments[3])};
    const int result = restante::serve(mirror, arguments[2]);
    ::close(source);
    return result;
}
