#include "ring/file_sender.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace restante {
namespace {

constexpr std::uint64_t page_octets = 4096;
/// A slice needs a page more than its octets where it begins within one. Unprivileged processes may
/// ask for up to 1 MiB (/proc/sys/fs/pipe-max-size).
constexpr int pipe_octets = 2 * FileSender::slice_octets_max;
constexpr std::size_t pipes_kept_max = 16;

// cachestat(2); Debian 12's headers are older.
constexpr long sys_cachestat = 451;
struct CachestatRange {
    std::uint64_t offset;
    std::uint64_t octets;
};
struct Cachestat {
    std::uint64_t cached;  // pages
    std::uint64_t dirty;
    std::uint64_t writeback;
    std::uint64_t evicted;
    std::uint64_t recently_evicted;
};

void set_nonblocking(int socket, bool is_nonblocking) {
    int value = is_nonblocking ? 1 : 0;
    ::ioctl(socket, FIONBIO, &value);
}

/// -errno where the kernel does not tell.
std::int64_t count_cached_pages(const FilePart& part) {
    CachestatRange range{part.offset, part.octets};
    Cachestat found{};
    const long told = ::syscall(sys_cachestat, part.file, &range, &found, 0);
    return told < 0 ? -errno : static_cast<std::int64_t>(found.cached);
}

/// Kernels before 6.5: an octet of each page, where that needs no waiting.
bool is_readable_at_once(const FilePart& part) {
    const std::uint64_t last = part.offset + part.octets - 1;
    for (std::uint64_t at = part.offset; at <= last; at = (at / page_octets + 1) * page_octets) {
        char octet = 0;
        const iovec target{&octet, 1};
        if (::preadv2(part.file, &target, 1, static_cast<off_t>(at), RWF_NOWAIT) != 1) return false;
    }
    return true;
}

}  // namespace

std::int64_t FileSender::send(const Request& request, std::uint64_t done) {
    const FilePart slice{request.file, request.offset + done,
                         std::min<std::uint64_t>(request.octets - done, slice_octets_max)};
    if (!is_resident(slice)) return 0;
    unblock(request.fd);
    if (request.sending == FileSending::splice) return splice(request, slice);
    auto at = static_cast<off_t>(slice.offset);
    const ssize_t sent = ::sendfile(request.fd, slice.file, &at, slice.octets);
    return sent < 0 ? -errno : sent;
}

// What a full socket leaves in the pipe is thrown away with it, and read again from the file later.
std::int64_t FileSender::splice(const Request& request, const FilePart& part) {
    Pipe pipe;
    if (!lend(pipe)) return 0;
    auto at = static_cast<loff_t>(part.offset);
    const ssize_t taken =
        ::splice(part.file, &at, pipe.in.get(), nullptr, part.octets, SPLICE_F_NONBLOCK);
    if (taken <= 0) return taken < 0 ? -errno : 0;
    const bool is_last =
        part.offset + static_cast<std::uint64_t>(taken) == request.offset + request.octets &&
        !request.more;
    const unsigned flags = SPLICE_F_NONBLOCK | (is_last ? 0 : SPLICE_F_MORE);
    ssize_t sent = 0;
    while (sent < taken) {
        const ssize_t put = ::splice(pipe.out.get(), nullptr, request.fd, nullptr,
                                     static_cast<std::size_t>(taken - sent), flags);
        if (put < 0 && sent == 0) return -errno;
        if (put <= 0) return sent;
        sent += put;
    }
    give_back(std::move(pipe));
    return sent;
}

void FileSender::unblock(int socket) {
    if (unblocked_ == socket) return;
    if (unblocked_ >= 0) set_nonblocking(unblocked_, false);
    set_nonblocking(socket, true);
    unblocked_ = socket;
}

void FileSender::restore(int socket) {
    if (unblocked_ != socket) return;
    set_nonblocking(socket, false);
    unblocked_ = -1;
}

// A page that is being read in counts as cached: where a part of a message was not, the rest of it
// is not tried either (maildir/message_sender.h), so that read-ahead is not waited for here.
//
// Asked again where pages are missing: of a range that begins within a large folio, kernel 6.18
// sometimes counts too few when its caller loses the processor meanwhile (85 of 13 million calls
// beside four busy threads; the second count was always right).
bool FileSender::is_resident(const FilePart& part) {
    if (!has_cachestat_) return is_readable_at_once(part);
    const std::uint64_t last = part.offset + part.octets - 1;
    const auto pages =
        static_cast<std::int64_t>(last / page_octets - part.offset / page_octets + 1);
    std::int64_t cached = count_cached_pages(part);
    if (cached >= 0 && cached < pages) cached = count_cached_pages(part);
    if (cached >= 0) return cached >= pages;
    has_cachestat_ = cached != -ENOSYS;  // -EPERM: of somebody else's file (kernel >= 6.13)
    return is_readable_at_once(part);
}

bool FileSender::lend(Pipe& pipe) {
    if (!pipes_.empty()) {
        pipe = std::move(pipes_.back());
        pipes_.pop_back();
        return true;
    }
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) < 0) return false;
    pipe.out = Fd(ends[0]);
    pipe.in = Fd(ends[1]);
    const int enlarged = ::fcntl(ends[1], F_SETPIPE_SZ, pipe_octets);
    const int octets = enlarged > 0 ? enlarged : ::fcntl(ends[1], F_GETPIPE_SZ);
    pipe.octets_max = static_cast<std::size_t>(std::max(octets, 0));
    return true;
}

void FileSender::give_back(Pipe pipe) {
    if (pipes_.size() < pipes_kept_max) pipes_.push_back(std::move(pipe));
}

}  // namespace restante
