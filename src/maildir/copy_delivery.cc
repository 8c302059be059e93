#include <algorithm>

#include "maildir/delivery.h"
#include "pop3/byte_stuffer.h"
#include "pop3/head_cutter.h"
#include "pop3/message_meter.h"

namespace restante {
namespace {

/// Octets read at a time: stuffed they fit into one empty sink, whatever they are.
constexpr std::size_t chunk_octets = BufferPool::buffer_octets / 2;

class CopyDelivery final : public Delivery {
public:
    CopyDelivery(Ring& ring, BufferPool& buffers) : ring_(ring), buffers_(buffers) {}
    Task<Result<void>> deliver(MessageSource& source, pop3::BodyLines body,
                               WireSink& sink) override;

private:
    Ring& ring_;
    BufferPool& buffers_;
};

Error changed_underneath() {
    return {ErrorKind::exhausted, 0, "message changed while it was sent"};
}

Task<Result<void>> CopyDelivery::deliver(MessageSource& source, pop3::BodyLines body,
                                         WireSink& sink) {
    const Buffer chunk = buffers_.acquire();
    pop3::ByteStuffer stuffer;
    pop3::HeadCutter cutter(body);
    pop3::MessageMeter meter;
    const std::uint64_t stored = source.stored_octets();
    std::uint64_t offset = 0;
    while (offset < stored && !cutter.done()) {
        const std::size_t wanted = std::min<std::uint64_t>(chunk_octets, stored - offset);
        const std::int64_t got =
            co_await perform(ring_, source.read(offset, chunk.octets().first(wanted)));
        if (got < 0)
            co_return std::unexpected(error_of_errno(static_cast<int>(-got), "read message"));
        if (static_cast<std::size_t>(got) != wanted)
            co_return std::unexpected(changed_underneath());
        offset += wanted;
        const std::span<const char> octets = chunk.octets().first(wanted);
        const std::span<const char> taken =
            octets.first(body.is_all() ? wanted : cutter.feed(octets));
        if (sink.room().size() < 2 * taken.size()) {
            const Result<void> flushed = co_await sink.flush();
            if (!flushed) co_return flushed;
        }
        sink.wrote(stuffer.feed(taken, sink.room()));
        meter.feed(taken);
    }
    // Overwritten in place with the same size: LIST would have lied.
    if (body.is_all() && meter.finish().octets != source.octets()) {
        co_return std::unexpected(changed_underneath());
    }
    if (sink.room().size() < pop3::ByteStuffer::finish_octets_max) {
        const Result<void> flushed = co_await sink.flush();
        if (!flushed) co_return flushed;
    }
    sink.wrote(stuffer.finish(sink.room()));
    co_return Result<void>();
}

}  // namespace

std::unique_ptr<Delivery> make_copy_delivery(Ring& ring, BufferPool& buffers) {
    return std::make_unique<CopyDelivery>(ring, buffers);
}

}  // namespace restante
