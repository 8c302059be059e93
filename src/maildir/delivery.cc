#include "maildir/delivery.h"

#include "maildir/message_sender.h"

namespace restante {
namespace {

/// A strategy is a row here, and its name in `[delivery] strategy`.
DeliveryPlan plan_of(DeliveryStrategy strategy) {
    switch (strategy) {
        case DeliveryStrategy::automatic:
            return {.sending = FileSending::splice, .send_file_from = 16 * 1024};
        case DeliveryStrategy::copy: return {};
        case DeliveryStrategy::sendfile:
            return {.sending = FileSending::sendfile, .send_file_from = 1};
        case DeliveryStrategy::splice: return {.sending = FileSending::splice, .send_file_from = 1};
        case DeliveryStrategy::mmap: return {.map_from = 1};
        case DeliveryStrategy::mmap_zerocopy: return {.map_from = 1, .zero_copy = true};
        case DeliveryStrategy::uring_splice:
            return {.sending = FileSending::uring_splice, .send_file_from = 1};
    }
    ASSERT(!"a DeliveryStrategy");
}

class PlannedDelivery final : public Delivery {
public:
    PlannedDelivery(const DeliveryPlan& plan, Ring& ring, BufferPool& buffers)
        : plan_(plan), ring_(ring), buffers_(buffers) {}

    Task<Result<void>> deliver(MessageSource& source, pop3::BodyLines body,
                               WireSink& sink) override {
        const DeliveryPlan copying;
        MessageSender sender(ring_, buffers_, sink.sends_plain() ? plan_ : copying, source, sink);
        Result<void> sent;
        if (body.is_all()) {
            sent = co_await sender.send();
        } else {
            sent = co_await sender.send_top(body);
        }
        co_return sent;
    }

private:
    const DeliveryPlan plan_;
    Ring& ring_;
    BufferPool& buffers_;
};

}  // namespace

std::unique_ptr<Delivery> make_delivery(DeliveryStrategy strategy, Ring& ring,
                                        BufferPool& buffers) {
    return std::make_unique<PlannedDelivery>(plan_of(strategy), ring, buffers);
}

}  // namespace restante
