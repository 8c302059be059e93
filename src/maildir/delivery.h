#pragma once
/// A message on its way to the wire: strategies behind one interface.

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "base/buffer_pool.h"
#include "base/result.h"
#include "maildir/store.h"
#include "pop3/types.h"
#include "ring/task.h"

namespace restante {

/// Where the octets of a response go. Implemented by the session.
class WireSink {
public:
    virtual ~WireSink() = default;
    /// False: what is sent is encrypted on its way, so only written octets can be. send_file() and
    /// send_memory() are then not called.
    virtual bool sends_plain() const { return true; }
    /// Room at the end of what is not sent yet; BufferPool::buffer_octets of it after a flush().
    virtual std::span<char> room() = 0;
    /// The first `octets` of room() were filled.
    virtual void wrote(std::size_t octets) = 0;
    /// A few octets; false, and nothing is written, where there is no room before a flush().
    virtual bool write(std::string_view text) = 0;
    /// Sends what was written; more of the same response follows.
    virtual Task<Result<void>> flush() = 0;
    /// What was written, then a part of a file. Octets of that which were sent: fewer where the
    /// rest has to be read (Request::send_file).
    virtual Task<Result<std::uint64_t>> send_file(FilePart part, FileSending sending) = 0;
    /// What was written, then `octets` from where they lie; `zero_copy`: see
    /// Request::send_zero_copy.
    virtual Task<Result<void>> send_memory(std::span<const char> octets, bool zero_copy) = 0;
};

/// `[delivery] strategy`.
enum class DeliveryStrategy : std::uint8_t {
    automatic,      ///< by size and by what the message needs
    copy,           ///< read, convert, send
    sendfile,       ///< what needs no conversion by sendfile(2), else copy
    splice,         ///< ... by splice(2) through a pipe
    mmap,           ///< mapped, and converted or sent from there
    mmap_zerocopy,  ///< the same, sent by SEND_ZC (kernel >= 6.0)
    uring_splice,   ///< as splice, by io_uring's worker threads
};

/// Sends the body of RETR or TOP: the message's octets, byte-stuffed, and the termination (RFC 1939
/// §3). The status line has been written to the sink. Stateless: one serves all sessions of a
/// reactor.
class Delivery {
public:
    virtual ~Delivery() = default;
    /// The last octets stay in the sink, unsent. An error: the response must not be ended, the
    /// connection has to be closed. `broken` or `exhausted`: the file is not (or no longer) what
    /// was indexed.
    virtual Task<Result<void>> deliver(MessageSource& source, pop3::BodyLines body,
                                       WireSink& sink) = 0;
};

std::unique_ptr<Delivery> make_delivery(DeliveryStrategy strategy, Ring& ring, BufferPool& buffers);

}  // namespace restante
