#include "ring/blocking_calls.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>

#include "base/fd.h"

namespace restante {
namespace {

constexpr std::int64_t nanoseconds_a_second = 1'000'000'000;

std::int64_t negative_errno(long result) { return result < 0 ? -errno : result; }

WallTime wall_time_of(const timespec& time) {
    return {time.tv_sec * nanoseconds_a_second + time.tv_nsec};
}

FileKind kind_of_mode(mode_t mode) {
    if (S_ISREG(mode)) return FileKind::regular;
    return S_ISDIR(mode) ? FileKind::directory : FileKind::other;
}

FileStatus status_of(const struct stat& from) {
    return {.device = from.st_dev,
            .inode = from.st_ino,
            .octets = static_cast<std::uint64_t>(from.st_size),
            .modified = wall_time_of(from.st_mtim),
            .changed = wall_time_of(from.st_ctim),
            .kind = kind_of_mode(from.st_mode)};
}

std::int64_t open_beneath(int directory, const char* name, int flags, std::uint64_t resolve) {
    open_how how{};
    how.flags = static_cast<std::uint64_t>(flags | O_CLOEXEC | O_NOFOLLOW);
    // An absolute path is an operator's (the mail root, the log): only requests with one come with
    // AT_FDCWD.
    how.resolve = resolve | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
    if (directory != AT_FDCWD) how.resolve |= RESOLVE_BENEATH;
    // What another mount makes of the last step, an open or a stat, may take any time.
    const bool is_attempt = (resolve & RESOLVE_CACHED) != 0;
    if (directory != AT_FDCWD && is_attempt) how.resolve |= RESOLVE_NO_XDEV;
    const std::int64_t opened =
        negative_errno(::syscall(SYS_openat2, directory, name, &how, sizeof how));
    // Kernels before 5.12 do not know RESOLVE_CACHED.
    return opened == -EINVAL && is_attempt ? -EAGAIN : opened;
}

// O_NONBLOCK: a FIFO that somebody put among the messages must not hang the open. O_NOATIME: the
// time of the first read is a write to the file system's journal, for which an inline read waits.
int flags_for(Request::Open what) {
    switch (what) {
        case Request::Open::file: return O_RDONLY | O_NONBLOCK | O_NOCTTY | O_NOATIME;
        case Request::Open::directory: return O_RDONLY | O_DIRECTORY;
        case Request::Open::place: return O_PATH | O_DIRECTORY;
    }
    ASSERT(!"an Open");
}

std::int64_t open_for(const Request& request, std::uint64_t resolve) {
    const int flags = flags_for(request.open_what);
    std::int64_t opened = open_beneath(request.fd, request.name, flags, resolve);
    if (opened == -EPERM && (flags & O_NOATIME) != 0)  // somebody else's file
        opened = open_beneath(request.fd, request.name, flags & ~O_NOATIME, resolve);
    if (opened < 0 || request.open_what == Request::Open::directory) return opened;
    Fd file(static_cast<int>(opened));
    struct stat status;
    if (::fstat(file.get(), &status) < 0) return -errno;
    const bool is_file = request.open_what == Request::Open::file;
    if (is_file && !S_ISREG(status.st_mode)) return -EINVAL;
    if (request.file_status != nullptr) *request.file_status = status_of(status);
    return file.release();
}

std::int64_t status_of_open(int file, FileStatus& known) {
    struct stat status;
    if (::fstat(file, &status) < 0) return -errno;
    known = status_of(status);
    return 0;
}

std::int64_t status_of_name(int directory, const char* name, FileStatus& known) {
    struct stat status;
    if (::fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) < 0) return -errno;
    known = status_of(status);
    return 0;
}

std::int64_t status_at(const Request& request) {
    const std::int64_t known = status_of_name(request.fd, request.name, request.file_status[0]);
    if (known < 0 || request.second == nullptr) return known;
    return status_of_name(request.fd, request.second, request.file_status[1]);
}

std::int64_t status_of_cached(int directory, const char* name, FileStatus& known) {
    const std::int64_t opened = open_beneath(directory, name, O_PATH, RESOLVE_CACHED);
    if (opened == -ELOOP) return -EAGAIN;  // a link on the way: the blocking call knows what to do
    if (opened < 0) return opened;
    const Fd file(static_cast<int>(opened));
    return status_of_open(file.get(), known);
}

// fstatat has no "only if cached"; opening with O_PATH has, and fstat of what is open asks no disk.
// Of two directories the second is opened by way of the first, which then is cached, too.
std::int64_t status_at_cached(const Request& request) {
    if (request.second == nullptr)
        return status_of_cached(request.fd, request.name, request.file_status[0]);
    const std::string path = std::string(request.name) + "/../" + request.second;
    const std::int64_t known = status_of_cached(request.fd, path.c_str(), request.file_status[1]);
    if (known < 0) return known;
    return status_of_name(request.fd, request.name, request.file_status[0]);
}

std::int64_t read_whole(const Request& request, std::size_t done) {
    while (done < request.target.size()) {
        const ssize_t got =
            ::pread(request.fd, request.target.data() + done, request.target.size() - done,
                    static_cast<off_t>(request.offset + done));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return -errno;
        if (got == 0) break;
        done += static_cast<std::size_t>(got);
    }
    return static_cast<std::int64_t>(done);
}

std::int64_t write_whole(int file, std::span<const char> source) {
    std::size_t done = 0;
    while (done < source.size()) {
        const ssize_t put = ::write(file, source.data() + done, source.size() - done);
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) return -errno;
        done += static_cast<std::size_t>(put);
    }
    return static_cast<std::int64_t>(done);
}

// What takes nothing (a pipe that nobody reads) must not keep a helper: -EAGAIN. Kernels before 6.5
// cannot tell of pipes within the call; one that poll(2) says has room takes as much as this,
// unless another writer was faster.
std::int64_t write_some(int file, std::span<const char> source) {
    struct stat status;
    if (::fstat(file, &status) == 0 && S_ISREG(status.st_mode)) return write_whole(file, source);
    const std::size_t octets = std::min<std::size_t>(source.size(), PIPE_BUF);
    const iovec piece{const_cast<char*>(source.data()), octets};
    const ssize_t put = ::pwritev2(file, &piece, 1, -1, RWF_NOWAIT);
    if (put >= 0 || errno != EOPNOTSUPP) return negative_errno(put);
    pollfd room{file, POLLOUT, 0};
    if (::poll(&room, 1, 0) == 0) return -EAGAIN;
    return negative_errno(::write(file, source.data(), octets));
}

// NFS emulates flock by record locks, which want a descriptor open for writing: EBADF on a
// directory.
bool refuses_directory_locks(int error) {
    return error == EBADF || error == ENOLCK || error == EOPNOTSUPP || error == ENOSYS ||
           error == EINVAL || error == EISDIR;
}

std::int64_t lock_directory(int directory) {
    if (::flock(directory, LOCK_EX | LOCK_NB) == 0) return 0;
    if (!refuses_directory_locks(errno)) return -errno;
    const int file =
        ::openat(directory, "restante.lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (file < 0) return -errno;
    Fd lock_file(file);
    if (::flock(lock_file.get(), LOCK_EX | LOCK_NB) < 0) return -errno;
    return lock_file.release();
}

// getdents64(2) answers in records of this shape, cut off after the name's NUL.
FileKind kind_of_entry(int directory, const dirent64& entry) {
    if (entry.d_type == DT_REG) return FileKind::regular;
    if (entry.d_type == DT_DIR) return FileKind::directory;
    if (entry.d_type != DT_UNKNOWN) return FileKind::other;
    struct stat status;
    if (::fstatat(directory, entry.d_name, &status, AT_SYMLINK_NOFOLLOW) < 0)
        return FileKind::other;
    return kind_of_mode(status.st_mode);
}

std::int64_t list_directory(const Request& request) {
    request.listing->clear();
    if (::lseek(request.fd, 0, SEEK_SET) < 0) return -errno;
    alignas(dirent64) char buffer[32 * 1024];
    for (;;) {
        const long got = ::syscall(SYS_getdents64, request.fd, buffer, sizeof buffer);
        if (got < 0) return -errno;
        if (got == 0) return 0;
        for (long at = 0; at < got;) {
            const auto* entry = reinterpret_cast<const dirent64*>(buffer + at);
            at += entry->d_reclen;
            const std::string_view name = entry->d_name;
            if (name == "." || name == "..") continue;
            request.listing->add(name, entry->d_ino, kind_of_entry(request.fd, *entry));
        }
    }
}

int remove_one(Removal& removal) {
    struct stat status;
    if (::fstatat(removal.directory, removal.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    if (status.st_dev != removal.device || status.st_ino != removal.inode) return -ESTALE;
    if (::unlinkat(removal.directory, removal.name.c_str(), 0) < 0) return -errno;
    removal.has_other_names = status.st_nlink > 1;
    return 0;
}

std::int64_t remove_all(std::span<Removal> removals) {
    for (Removal& removal : removals) removal.result = remove_one(removal);
    return 0;
}

/// XFS (6.18) says of a directory that all is well although it has shut itself down, its log not
/// being written; asking for attributes tells.
std::int64_t sync(int file) {
    if (::fsync(file) < 0) return -errno;
    struct stat status {};
    return negative_errno(::fstat(file, &status));
}

std::int64_t replace_file(const Request& request) {
    const std::string temporary = std::string(request.name) + ".tmp";
    ::unlinkat(request.fd, temporary.c_str(),
               0);  // of a crash; the maildrop is locked, so nobody else's
    const int opened = ::openat(request.fd, temporary.c_str(),
                                O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (opened < 0) return -errno;
    const Fd file(opened);
    std::int64_t result = write_whole(file.get(), request.source);
    if (result >= 0 && request.durable) result = sync(file.get());
    if (result >= 0)
        result =
            negative_errno(::renameat(request.fd, temporary.c_str(), request.fd, request.name));
    if (result < 0) ::unlinkat(request.fd, temporary.c_str(), 0);
    if (result >= 0 && request.durable) result = sync(request.fd);
    return result < 0 ? result : 0;
}

std::int64_t run_work(Work& work) {
    work.run();
    return 0;
}

}  // namespace

bool lies_far(int file) {
    struct statfs status;
    return ::fstatfs(file, &status) < 0 || !is_local_storage(status.f_type);
}

std::int64_t carry_out(const Request& request, std::size_t done) {
    using Kind = Request::Kind;
    switch (request.kind) {
        case Kind::open: return open_for(request, 0);
        case Kind::status: return status_of_open(request.fd, *request.file_status);
        case Kind::status_at: return status_at(request);
        case Kind::read: return read_whole(request, done);
        case Kind::write: return write_some(request.fd, request.source.subspan(done));
        case Kind::lock: return lock_directory(request.fd);
        case Kind::list_directory: return list_directory(request);
        case Kind::remove: return remove_all(request.removals);
        case Kind::sync: return sync(request.fd);
        case Kind::replace_file: return replace_file(request);
        case Kind::offload: return run_work(*request.work);
        case Kind::accept:
        case Kind::receive:
        case Kind::send:
        case Kind::exchange:
        case Kind::send_file:
        case Kind::map:
        case Kind::shutdown:
        case Kind::sleep: break;
    }
    ASSERT(!"a request of the network, or one that never waits");
}

std::int64_t carry_out_cached(const Request& request) {
    using Kind = Request::Kind;
    switch (request.kind) {
        case Kind::open: return open_for(request, RESOLVE_CACHED);
        case Kind::status: return status_of_open(request.fd, *request.file_status);
        case Kind::status_at: return status_at_cached(request);
        case Kind::lock: return lock_directory(request.fd);
        case Kind::read: {
            const iovec target{request.target.data(), request.target.size()};
            return negative_errno(
                ::preadv2(request.fd, &target, 1, static_cast<off_t>(request.offset), RWF_NOWAIT));
        }
        default: return -EAGAIN;
    }
}

}  // namespace restante
