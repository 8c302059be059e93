#pragma once
/// File to socket within the kernel: what of it needs no waiting, by plain system calls.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/fd.h"
#include "ring/operation.h"

namespace restante {

/// A pipe for splice(2), empty between two uses.
struct Pipe {
    Fd out;  ///< to read from
    Fd in;   ///< to write to
    std::size_t octets_max = 0;
    std::size_t octets = 0;  ///< that io_uring was asked to pass through it
};

/// Of one ring. Sockets are blocking for io_uring's sake (of a non-blocking one it answers -EAGAIN
/// instead of waiting; epoll's calls do not ask the socket), but sendfile(2) and splice(2) take "do
/// not wait" from the socket alone: the one that was sent to last is non-blocking until restore().
class FileSender {
public:
    /// Octets that one call sends at most: the others of the reactor wait meanwhile.
    static constexpr std::size_t slice_octets_max = 256 * 1024;

    /// Sends what follows the first `done` octets of a Request::send_file, by sendfile or splice.
    /// Octets sent; 0 where the next of them are not in the page cache; -EAGAIN where the socket is
    /// full; else -errno.
    std::int64_t send(const Request& request, std::uint64_t done);
    /// To be called before io_uring gets something to do on `socket`, and before its close.
    void restore(int socket);

    /// All octets of this part of the file can be had without waiting for the disk.
    bool is_resident(const FilePart& part);

    /// For a splice that io_uring carries out; nothing where there are no descriptors for one.
    bool lend(Pipe& pipe);
    /// Only empty ones.
    void give_back(Pipe pipe);

private:
    void unblock(int socket);
    std::int64_t splice(const Request& request, const FilePart& part);

    int unblocked_ = -1;
    bool has_cachestat_ = true;  // kernel >= 6.5
    std::vector<Pipe> pipes_;
};

}  // namespace restante
