#include "ring/uring_ring.h"

#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <unordered_map>
#include <utility>

#include "ring/operation_slots.h"
#include "ring/receive_buffers.h"
#include "ring/ring_services.h"
#include "ring/uring_queue.h"
#include "ring/uring_refusal.h"

namespace restante {
namespace {

constexpr std::size_t completions_a_turn_max = 256;

/// user_data of completions that are no Operation's; real ones carry generation << 32 | slot.
constexpr std::uint64_t wake_data = ~std::uint64_t{0};
constexpr std::uint64_t ignored_data = wake_data - 1;
constexpr std::uint64_t alarm_data = wake_data - 2;
/// Marks the first half of an exchange or of a splice.
constexpr std::uint64_t sending_bit = std::uint64_t{1} << 63;
/// Marks the cancellation of an operation.
constexpr std::uint64_t cancel_bit = std::uint64_t{1} << 62;

using Event = UringQueue::Event;

bool is_spliced(const Request& request) {
    return request.kind == Request::Kind::send_file && request.sending == FileSending::uring_splice;
}

class UringRing final : public Ring {
public:
    UringRing(HelperPool& helpers, UringOptions options, Fd event)
        : services_(helpers, options.storage_is_local, std::move(event)),
          buffers_(options.receive_buffers) {}

    /// 0 or -errno.
    int set_up();

    bool attempt(Operation& operation) override {
        return services_.inline_answers.attempt(operation, queue_.can_send_zero_copy());
    }
    void submit(Operation& operation) override;
    void cancel(Operation& operation) override;
    void close(int fd) override;
    void turn() override;
    void wake() override { services_.wake(); }
    Instant now() const override { return services_.now(); }
    WallTime wall_time() const override { return services_.wall_time(); }
    void fill_random(std::span<std::byte> target) override { services_.fill_random(target); }

private:
    void submit_to_kernel(Operation& operation);
    void submit_splice(Operation& operation);
    void cancel_again(std::uint64_t data);
    void handle(const Event& event);
    void finish_transfer(Operation& operation, std::int32_t result);
    void finish_receive(Operation& operation, const Event& event);
    void receive_inline(Operation& operation);
    void finish_send_file(Operation& operation, std::int64_t result);
    void take_returned();
    static void complete(Operation& operation, std::int64_t result) {
        RingServices::complete(operation, result);
    }

    RingServices services_;
    ReceiveBuffers buffers_;
    UringQueue queue_;  // after what the kernel knows of
    OperationSlots slots_;
    std::unordered_map<const Operation*, Pipe> splices_;  // under way
};

int UringRing::set_up() {
    const int result = queue_.set_up(buffers_);
    if (result < 0) return result;
    queue_.watch(services_.event(), wake_data);
    return queue_.submit();
}

void UringRing::submit(Operation& operation) {
    ASSERT(!operation.in_flight);
    operation.in_flight = true;
    if (!services_.submit(operation)) submit_to_kernel(operation);
}

void UringRing::submit_to_kernel(Operation& operation) {
    const Request& request = operation.request;
    if (is_spliced(request)) return submit_splice(operation);
    if (request.kind != Request::Kind::send_file) services_.file_sender.restore(request.fd);
    const std::uint64_t data = slots_.occupy(operation);
    if (request.kind == Request::Kind::exchange && operation.progress == 0) {
        operation.progress = request.source.size();
        queue_.ask_first(request, data | sending_bit);
    }
    queue_.ask(operation, data);
    if (request.deadline != never) services_.timers.add(operation);
}

void UringRing::submit_splice(Operation& operation) {
    const Request& request = operation.request;
    Pipe pipe;
    if (!services_.file_sender.lend(pipe)) {
        return services_.complete_later(operation, static_cast<std::int64_t>(operation.progress));
    }
    services_.file_sender.restore(request.fd);
    pipe.octets = std::min<std::uint64_t>(request.octets - operation.progress,
                                          pipe.octets_max / 2);  // a page more where unaligned
    const bool is_last = operation.progress + pipe.octets == request.octets && !request.more;
    const UringQueue::Splice splice{
        .from = {request.file, request.offset + operation.progress, pipe.octets},
        .in = pipe.in.get(),
        .out = pipe.out.get(),
        .socket = request.fd,
        .is_last = is_last};
    splices_.emplace(&operation, std::move(pipe));
    const std::uint64_t data = slots_.occupy(operation);
    queue_.splice(splice, data | sending_bit, data);
    if (request.deadline != never) services_.timers.add(operation);
}

void UringRing::cancel(Operation& operation) {
    using Kind = Request::Kind;
    if (!operation.in_flight) return;
    operation.cancelled = true;
    switch (operation.request.kind) {
        case Kind::accept:
        case Kind::receive:
        case Kind::send:
        case Kind::write: break;
        case Kind::exchange:
        case Kind::send_file:  // whichever half is under way
            queue_.cancel(slots_.data_of(operation) | sending_bit, ignored_data);
            break;
        case Kind::sleep: return services_.cancel_sleep(operation);
        default: return;  // short, or a helper's
    }
    // A hit is silent where the kernel can: the completion of what was cancelled tells.
    queue_.cancel(slots_.data_of(operation), slots_.data_of(operation) | cancel_bit);
}

// It missed. Where the operation is still there it was between two states: submitted in the same
// turn, or the second half of an exchange that was not begun yet.
void UringRing::cancel_again(std::uint64_t data) {
    Operation* operation = slots_.find(data);
    if (operation != nullptr) cancel(*operation);
}

void UringRing::close(int fd) {
    if (!services_.close(fd)) queue_.close(fd, ignored_data);
}

// Completions are copied before any is handled: handling asks for more, which may have to enter the
// kernel.
void UringRing::turn() {
    queue_.wait(services_.next_look(), alarm_data, ignored_data);
    services_.begin_turn();
    Event events[completions_a_turn_max];
    for (const Event& event : queue_.take(events)) handle(event);
    services_.end_turn(*this);
}

void UringRing::handle(const Event& event) {
    if (event.data == ignored_data) return;
    if (event.data == alarm_data) return queue_.alarm_has_rung();
    if (event.is_notice()) return;
    if (event.data == wake_data) {
        // The completion queue's overflow ends a multishot.
        if (!event.has_more()) queue_.watch(services_.event(), wake_data);
        return take_returned();
    }
    if ((event.data & cancel_bit) != 0) {
        if (event.result < 0) cancel_again(event.data);
        return;
    }
    // Of a first half that failed; then the second completes silently (IOSQE_CQE_SKIP_SUCCESS).
    const bool is_first = (event.data & sending_bit) != 0;
    if (is_first && !queue_.can_skip()) return;  // the second tells
    Operation& operation = slots_.at(event.data);
    slots_.vacate(operation);
    services_.timers.remove(operation);
    using Kind = Request::Kind;
    switch (operation.request.kind) {
        case Kind::send_file: return finish_send_file(operation, is_first ? 0 : event.result);
        case Kind::receive: return finish_receive(operation, event);
        case Kind::exchange:
            if (is_first) return complete(operation, -ECANCELED);
            return finish_receive(operation, event);
        default: return finish_transfer(operation, event.result);
    }
}

void UringRing::finish_transfer(Operation& operation, std::int32_t result) {
    using Kind = Request::Kind;
    const Request& request = operation.request;
    if (request.kind == Kind::accept && result >= 0 && request.local != nullptr) {
        ::getsockname(result, request.local->raw(), request.local->raw_octets());
    }
    if (request.kind == Kind::accept) return complete(operation, result);
    // What is on its way without a copy counts as locked memory (RLIMIT_MEMLOCK); the kernel's TLS
    // takes neither that nor MSG_WAITALL.
    const bool is_locked_out = request.zero_copy && (result == -ENOMEM || result == -ENOBUFS);
    const bool is_unsuited = request.kind == Kind::send && result == -EOPNOTSUPP;
    if (!operation.copies && (is_locked_out || is_unsuited)) {
        operation.copies = true;
        result = -EINTR;
    }
    if (result < 0 && result != -EINTR) return complete(operation, result);
    if (result > 0) operation.progress += static_cast<std::uint64_t>(result);
    const std::size_t wanted =
        request.kind == Kind::read ? request.target.size() : request.source.size();
    const bool ended = operation.progress == wanted || result == 0;
    if (ended) return complete(operation, static_cast<std::int64_t>(operation.progress));
    if (operation.cancelled) return complete(operation, -ECANCELED);
    submit_to_kernel(operation);  // the rest
}

void UringRing::finish_receive(Operation& operation, const Event& event) {
    const bool is_waited_for = !queue_.has_buffers() && event.result >= 0;
    if (event.result == -ENOBUFS || is_waited_for) return receive_inline(operation);
    if (!event.has_buffer()) return complete(operation, event.result);
    const unsigned id = event.buffer();
    const auto octets = static_cast<std::size_t>(std::max(event.result, 0));
    operation.received_first = buffers_.octets(id, octets).data();
    complete(operation, event.result);
    buffers_.give_back(id, octets);
}

// All buffers were in use, which they are not when the next turn begins.
void UringRing::receive_inline(Operation& operation) {
    char space[ReceiveBuffers::buffer_octets];
    const ssize_t got = ::recv(operation.request.fd, space, sizeof space, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        if (operation.cancelled) return complete(operation, -ECANCELED);
        return submit_to_kernel(operation);
    }
    operation.received_first = space;
    complete(operation, got < 0 ? -errno : got);
    explicit_bzero(space, static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
}

// `result`: of a splice, octets; else the socket has room now.
void UringRing::finish_send_file(Operation& operation, std::int64_t result) {
    const Request& request = operation.request;
    Pipe pipe;
    if (auto splice = splices_.extract(&operation)) pipe = std::move(splice.mapped());
    if (operation.cancelled) return complete(operation, -ECANCELED);
    if (is_spliced(request)) {
        const bool is_empty = result == static_cast<std::int64_t>(pipe.octets);
        if (is_empty) services_.file_sender.give_back(std::move(pipe));
        if (result == -ECANCELED) result = 0;  // the first half found less in the file
    } else if (result >= 0) {
        result = services_.file_sender.send(request, operation.progress);
    }
    if (result == -EAGAIN || result == -EINTR) return submit_to_kernel(operation);
    if (result < 0) return complete(operation, result);
    operation.progress += static_cast<std::uint64_t>(result);
    if (result > 0 && operation.progress < request.octets) return submit_to_kernel(operation);
    complete(operation, static_cast<std::int64_t>(operation.progress));
}

void UringRing::take_returned() {
    OperationQueue finished = services_.take_returned();
    while (Operation* operation = finished.pop()) {
        services_.places.note(*operation);
        complete(*operation, operation->result);
    }
}

}  // namespace

std::expected<std::unique_ptr<Ring>, std::string> make_uring_ring(HelperPool& helpers,
                                                                  UringOptions options) {
    const int event = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (event < 0) return std::unexpected(uring_refusal(errno));
    auto ring = std::make_unique<UringRing>(helpers, options, Fd(event));
    const int result = ring->set_up();
    if (result < 0) return std::unexpected(uring_refusal(-result));
    return ring;
}

}  // namespace restante
