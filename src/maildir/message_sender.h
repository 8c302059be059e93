#pragma once
/// One message to one sink, by the means that a strategy allows.

#include <cstdint>
#include <span>
#include <string_view>

#include "base/buffer_pool.h"
#include "base/result.h"
#include "maildir/delivery.h"
#include "maildir/store.h"
#include "pop3/byte_stuffer.h"
#include "pop3/message_meter.h"
#include "pop3/types.h"
#include "ring/mapping.h"
#include "ring/task.h"

namespace restante {

/// What a strategy is: by which means octets get from the file to the sink, from which size on.
/// Smaller ones, and those that the means fails for, are read.
struct DeliveryPlan {
    static constexpr std::uint64_t no_size = ~std::uint64_t{0};

    FileSending sending = FileSending::splice;
    /// Octets that go out as they are stored, in a row.
    std::uint64_t send_file_from = no_size;
    /// Octets of a message that has to be converted, or of such a row.
    std::uint64_t map_from = no_size;
    bool zero_copy = false;  ///< of what is mapped and goes out as it is
};

/// Lives as long as one delivery; what is given outlives it.
class MessageSender {
public:
    MessageSender(Ring& ring, BufferPool& buffers, const DeliveryPlan& plan, MessageSource& source,
                  WireSink& sink)
        : ring_(ring),
          buffers_(buffers),
          plan_(plan),
          source_(source),
          measure_(source.measure()),
          sink_(sink) {}

    /// All of it, and the termination; errors as Delivery::deliver() has them.
    Task<Result<void>> send();
    /// Headers, blank line and the first lines of the body (RFC 1939 §7, TOP).
    Task<Result<void>> send_top(pop3::BodyLines body);

private:
    // What every message needs is done without a Task of its own: each costs a frame.
    Task<Result<void>> send_as_stored();
    Task<Result<std::uint64_t>> send_some(std::uint64_t first, std::uint64_t octets);
    bool needs_check() const;
    Task<Result<void>> check_unchanged();
    Task<Result<std::uint64_t>> send_mapped(std::uint64_t offset, std::uint64_t octets);
    Task<Result<void>> convert();
    Task<std::uint64_t> map(Mapping& mapping, std::uint64_t offset, std::uint64_t octets);
    bool stuff_at_once(pop3::ByteStuffer& stuffer, std::span<const char> octets);
    Task<Result<void>> stuff(pop3::ByteStuffer& stuffer, std::span<const char> octets);
    Task<Result<void>> end(const pop3::ByteStuffer& stuffer);
    Task<Result<void>> flush_and_write(std::string_view text);
    bool is_mapped(std::uint64_t octets) const {
        return octets >= plan_.map_from && is_in_memory_ && source_.file().has_value();
    }

    Ring& ring_;
    BufferPool& buffers_;
    const DeliveryPlan& plan_;
    MessageSource& source_;
    const pop3::MessageMeasure& measure_;
    WireSink& sink_;
    /// Until a part of it was not: what follows may be on its way from the disk (read-ahead), and
    /// sendfile and page faults would wait for it.
    bool is_in_memory_ = true;
};

}  // namespace restante
