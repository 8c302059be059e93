#pragma once
/// One request to the kernel (or to a helper thread), and its way to a result. Who carries it out:
/// ring.h.

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/assert.h"
#include "base/clock.h"
#include "ring/file_types.h"
#include "ring/socket_address.h"

namespace restante {

/// Code that would block a reactor: run on a helper thread, inline by the simulator. Must not touch
/// anything that its reactor may touch meanwhile.
class Work {
public:
    virtual void run() = 0;

protected:
    ~Work() = default;
};

/// Each kind has its own bounded queue and threads, so that hashing cannot starve mail, nor mail on
/// far storage (file_types.h) that on local disks, nor an issuer of tokens that hangs either.
enum class HelperKind : std::uint8_t { files, hashing, far_files, tokens };
inline constexpr std::size_t helper_kinds = 4;

class Mapping;

/// How a file's octets get to a socket inside the kernel.
enum class FileSending : std::uint8_t {
    sendfile,      ///< sendfile(2)
    splice,        ///< splice(2) through a pipe, without waiting: the last segment may be held back
    uring_splice,  ///< io_uring's splice, which a worker thread of the kernel carries out; with
                   ///< another ring, sendfile(2)
};

/// A part of an open file.
struct FilePart {
    int file;
    std::uint64_t offset;
    std::uint64_t octets;
};

/// A value: what is asked. Made by one of the factories, which say what the result is; it is -errno
/// on failure, -ETIMEDOUT when the deadline passed, -ECANCELED after Ring::cancel(), -ENOBUFS when
/// the helpers' queue is full (-EAGAIN of offload). Whatever it points to (names, buffers,
/// descriptors) must live until the completion.
struct Request {
    enum class Kind : std::uint8_t {
        accept,
        receive,
        send,
        exchange,
        send_file,
        shutdown,
        sleep,  // network and time
        open,
        status,
        status_at,
        read,
        map,
        write,
        lock,  // one file
        list_directory,
        remove,
        sync,
        replace_file,  // always on a helper
        offload,
    };
    enum class Open : std::uint8_t {
        file,       ///< a regular file, for reading; no link is followed at any component
        directory,  ///< likewise a directory
        place,      ///< a directory that names are looked up in, no more (O_PATH): its file system
                    ///< is not told
    };

    /// Descriptor of the new connection (close-on-exec); `peer` is filled in, and `local` where it
    /// is given, which is one more system call.
    static Request accept(int listener, SocketAddress& peer, SocketAddress* local = nullptr);
    /// Octets received, 0 at the end of the stream. They lie in a buffer of the ring's
    /// (Operation::received), so a connection that waits holds none.
    static Request receive(int socket);
    /// source.size(): all of it is sent, or it is an error. `more`: the last segment may wait for
    /// more.
    static Request send(int socket, std::span<const char> source, bool more);
    /// The same of a Mapping's octets, from where they lie (io_uring, kernel >= 6.0; copied by
    /// others). The kernel holds their pages until the peer has them: the mapping may go once this
    /// has completed.
    static Request send_zero_copy(int socket, std::span<const char> source);
    /// Octets sent of `octets` (at least 1) of `file` from `offset`: fewer, or 0, where the next of
    /// them are not in memory or the file has ended; those have to be read. `more`: the last
    /// segment may wait for more.
    static Request send_file(int socket, const FilePart& part, FileSending sending, bool more);
    /// What receive() says, once all of `source` was sent; -EPIPE where it was not. One trip to the
    /// kernel: what a server does at the end of each reply.
    static Request exchange(int socket, std::span<const char> source);
    /// 0. Nothing more will be sent (FIN); what the peer still sends can be received.
    static Request shutdown(int socket);
    /// -ETIMEDOUT at its deadline; at the next turn where that has passed.
    static Request sleep();

    /// Descriptor. `name` is relative to `directory` and stays beneath it (openat2 RESOLVE_BENEATH
    /// | NO_SYMLINKS | NO_MAGICLINKS), or absolute with AT_FDCWD; -ELOOP for links, -EINVAL where
    /// it is no regular file.
    static Request open(int directory, const char* name, Open what);
    /// The same of a file, with what status() would say of it in `status`.
    static Request open_file(int directory, const char* name, FileStatus& status);
    /// A place, with what status() would say of it in `status`.
    static Request open_place(int directory, const char* name, FileStatus& status);
    /// 0, `status` filled in.
    static Request status(int file, FileStatus& status);
    /// 0, `status` filled in; a link is not followed. `name`: relative, or absolute with AT_FDCWD.
    static Request status_at(int directory, const char* name, FileStatus& status);
    /// The same of two directories in `directory`, for little more than one costs; -errno, and
    /// nothing is known of either, where one cannot be told.
    static Request status_of_two(int directory, const char* name, const char* second,
                                 std::span<FileStatus, 2> statuses);
    /// Octets read, fewer than asked only at the end of the file, 0 there.
    static Request read(int file, std::span<char> target, std::uint64_t offset);
    /// Octets of `file` that are in `mapping` now: all of `part`, or 0 where that is not in memory
    /// or not to be had so; it has to be read then. Never waits.
    static Request map(const FilePart& part, Mapping& mapping);
    /// source.size(): appended at the file's own position (log files, pipes).
    static Request write(int file, std::span<const char> source);
    /// 0, or the descriptor of a lock file to keep open; -EWOULDBLOCK when another holds it.
    /// Exclusive, never waits, ends with the descriptor's close. Where the file system refuses
    /// flock on a directory (NFS), `restante.lock` in it is locked.
    static Request lock(int directory);

    /// 0. The directory is rewound first.
    static Request list_directory(int directory, DirectoryListing& listing);
    /// 0, each Removal has its own result.
    static Request remove(std::span<Removal> removals);
    /// 0 once the file or directory is on stable storage.
    static Request sync(int file);
    /// 0. `name` in `directory` has `content`, all or nothing to whoever opens it (temporary file,
    /// then rename). Mode 0600. `durable`: on stable storage, too, then; else a power cut may leave
    /// it torn.
    static Request replace_file(int directory, const char* name, std::span<const char> content,
                                bool durable = false);
    /// 0 once `work` has run; -EAGAIN when the queue of `helper` is full.
    static Request offload(HelperKind helper, Work& work);

    /// Ends with -ETIMEDOUT at `when`. Only accept, receive, the sends, exchange, write
    /// and sleep can.
    Request until(Instant when) const;

    // Of a union only what the kind's factory sets may be read.
    Kind kind;
    Open open_what = Open::file;
    HelperKind helper = HelperKind::files;
    FileSending sending = FileSending::sendfile;
    bool more = false;
    bool zero_copy = false;
    bool durable = false;
    int fd;
    int file = -1;  ///< of send_file, whose `fd` is the socket
    union {
        const char* name = nullptr;
        SocketAddress* peer;
        DirectoryListing* listing;
        Mapping* mapping;
        Work* work;
    };
    union {
        std::span<const char> source{};
        std::span<char> target;
        std::span<Removal> removals;
        std::uint64_t octets;  ///< of send_file and map
        const char* second;    ///< of status_at; nullptr: there is only `name`
    };
    union {
        std::uint64_t offset = 0;
        FileStatus* file_status;  ///< nullptr where it is not asked for; two where `second` is
        SocketAddress* local;
    };
    Instant deadline = never;

private:
    Request(Kind asked, int descriptor) : kind(asked), fd(descriptor) {}
};

// Every session that waits has one.
static_assert(sizeof(Request) <= 56);

class HelperReturn;

/// A request under way: has an address, is neither copied nor moved, and must live until it has
/// completed (the kernel owns its buffers until then).
class Operation {
public:
    explicit Operation(const Request& asked) : request(asked) {}
    Operation(const Operation&) = delete;
    Operation& operator=(const Operation&) = delete;
    ~Operation() { ASSERT(!in_flight); }

    const Request request;
    std::int64_t result = 0;

    /// Set by whoever submits; called once, on the reactor's thread, with `result` set and
    /// `in_flight` false. It may destroy the operation.
    void (*on_complete)(Operation&) = nullptr;
    void* context = nullptr;

    /// Of a receive or exchange whose result is positive: the octets that came. Valid until the
    /// ring is asked for anything else, or on_complete returns; then they are overwritten.
    std::span<const char> received() const {
        return {received_first, static_cast<std::size_t>(result)};
    }

    // The ring's own.
    bool in_flight = false;
    bool cancelled = false;    ///< somebody asked for its end
    bool timed_out = false;    ///< its deadline passed: -ECANCELED means -ETIMEDOUT
    bool timed = false;        ///< in the timer wheel
    bool copies = false;       ///< a send was refused as it was asked for
    bool is_far = false;       ///< on far storage, for all that is known
    bool finds_place = false;  ///< the helper that opens it finds out whether it is
    std::uint16_t timer_slot = 0;
    std::uint32_t slot = 0;
    union {
        std::uint64_t progress = 0;  ///< octets done by earlier parts of a split transfer
        const char* received_first;
    };
    // What a helper carries out has no deadline.
    union {
        Operation* timer_previous = nullptr;
        Operation* queue_next;
    };
    union {
        Operation* timer_next = nullptr;
        HelperReturn* return_to;
    };
};

static_assert(sizeof(Operation) <= 120);

}  // namespace restante
