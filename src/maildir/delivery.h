#pragma once
/// A message on its way to the wire: strategies behind one interface.

#include <memory>
#include <span>

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
    /// Room at the end of what is not sent yet; BufferPool::buffer_octets of it after a flush().
    virtual std::span<char> room() = 0;
    /// The first `octets` of room() were filled.
    virtual void wrote(std::size_t octets) = 0;
    /// Sends what was written; more of the same response follows.
    virtual Task<Result<void>> flush() = 0;
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

/// Read, convert, send.
std::unique_ptr<Delivery> make_copy_delivery(Ring& ring, BufferPool& buffers);

}  // namespace restante
