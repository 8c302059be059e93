#include "ring/uring_ring.h"

#include <liburing.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <unordered_map>

#include "base/fd.h"
#include "ring/descriptor_places.h"
#include "ring/file_sender.h"
#include "ring/inline_answers.h"
#include "ring/mapping.h"
#include "ring/operation_slots.h"
#include "ring/receive_buffers.h"
#include "ring/timer_wheel.h"
#include "ring/uring_refusal.h"
#include "ring/uring_restrictions.h"

namespace restante {
namespace {

constexpr unsigned submission_entries = 1024;
constexpr unsigned completion_entries = 16 * 1024;
constexpr std::size_t completions_a_turn_max = 256;
/// Worker threads of the kernel for this ring: closing far files must not keep the log waiting.
constexpr unsigned kernel_workers_max = 64;

/// The only group of provided buffers.
constexpr std::uint16_t receive_buffers = 0;

/// user_data of completions that are no Operation's; real ones carry generation << 32 | slot.
constexpr std::uint64_t wake_data = ~std::uint64_t{0};
constexpr std::uint64_t ignored_data = wake_data - 1;
/// Marks the first half of an exchange or of a splice.
constexpr std::uint64_t sending_bit = std::uint64_t{1} << 63;
/// Marks the cancellation of an operation.
constexpr std::uint64_t cancel_bit = std::uint64_t{1} << 62;

std::int64_t nanoseconds_of(clockid_t clock) {
    timespec time{};
    ::clock_gettime(clock, &time);
    return time.tv_sec * std::int64_t{1'000'000'000} + time.tv_nsec;
}

Instant read_monotonic_clock() { return Instant(Duration(nanoseconds_of(CLOCK_MONOTONIC))); }

bool is_spliced(const Request& request) {
    return request.kind == Request::Kind::send_file && request.sending == FileSending::uring_splice;
}

bool has_operation(io_uring& ring, int operation) {
    io_uring_probe* probe = io_uring_get_probe_ring(&ring);
    const bool has = probe != nullptr && io_uring_opcode_supported(probe, operation) != 0;
    io_uring_free_probe(probe);
    return has;
}

class UringRing final : public Ring {
public:
    UringRing(HelperPool& helpers, UringOptions options, Fd event)
        : helpers_(helpers),
          places_(options.storage_is_local),
          event_(std::move(event)),
          returned_(event_.get()),
          now_(read_monotonic_clock()),
          wall_time_{nanoseconds_of(CLOCK_REALTIME)},
          timers_(now_),
          inline_(places_, file_sender_),
          buffers_(options.receive_buffers) {}
    ~UringRing() override {
        if (set_up_) io_uring_queue_exit(&ring_);
    }

    /// 0 or -errno.
    int set_up();

    bool attempt(Operation& operation) override {
        return inline_.attempt(operation, can_send_zero_copy_);
    }
    void submit(Operation& operation) override;
    void cancel(Operation& operation) override;
    void close(int fd) override;
    void turn() override;
    void wake() override;
    Instant now() const override { return now_; }
    WallTime wall_time() const override { return wall_time_; }
    void fill_random(std::span<std::byte> target) override;

private:
    struct Event {
        std::uint64_t data;
        std::int32_t result;
        std::uint32_t flags;
    };

    io_uring_sqe& entry();
    void prepare(Operation& operation, io_uring_sqe& entry);
    void prepare_receive(int socket, io_uring_sqe& entry) const;
    void submit_splice(Operation& operation);
    io_uring_sqe& first_of_two();
    void mark_first_of_two(io_uring_sqe& first, std::uint64_t data);
    void cancel_in_kernel(std::uint64_t target, std::uint64_t data);
    void cancel_again(std::uint64_t data);
    void submit_to_kernel(Operation& operation);
    void submit_to_helper(Operation& operation);
    void lend_buffers();
    void watch_event();
    void wait();
    void take_events();
    void handle(const Event& event);
    void finish_transfer(Operation& operation, std::int32_t result);
    void finish_receive(Operation& operation, const Event& event);
    void receive_inline(Operation& operation);
    void finish_send_file(Operation& operation, std::int64_t result);
    void complete(Operation& operation, std::int64_t result);
    void expire();
    void take_returned();

    HelperPool& helpers_;
    DescriptorPlaces places_;
    Fd event_;  // readable: helpers have finished something, or wake()
    HelperReturn returned_;
    io_uring ring_{};
    bool set_up_ = false;
    bool can_skip_ = false;
    bool can_send_zero_copy_ = false;
    Instant now_;
    WallTime wall_time_;
    TimerWheel timers_;
    FileSender file_sender_;
    InlineAnswers inline_;
    OperationSlots slots_;
    std::unordered_map<const Operation*, Pipe> splices_;  // under way
    ReceiveBuffers buffers_;
    bool has_buffers_ = false;
    std::array<std::byte, 256> random_{};  // getrandom(2) gives up to 256 octets whole
    std::size_t random_left_ = 0;
    OperationQueue ready_;  // ended without the kernel: cancelled sleeps, full helper queues
};

// DEFER_TASKRUN: completions are worked off where we wait for them and nowhere else.
int UringRing::set_up() {
    int result = -EINVAL;
    for (const unsigned flags : {IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN, 0u}) {
        io_uring_params parameters{};
        parameters.flags =
            flags | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP | IORING_SETUP_R_DISABLED;
        parameters.cq_entries = completion_entries;
        result = io_uring_queue_init_params(submission_entries, &ring_, &parameters);
        if (result != -EINVAL) break;  // kernel < 6.1 does not know the flags
    }
    if (result < 0) return result;
    set_up_ = true;
    can_skip_ = (ring_.features & IORING_FEAT_CQE_SKIP) != 0;
    can_send_zero_copy_ = has_operation(ring_, IORING_OP_SEND_ZC);
    lend_buffers();
    guard_mappings();
    unsigned workers[] = {kernel_workers_max, 0};  // 0: as it is
    io_uring_register_iowq_max_workers(&ring_, workers);
    result = enable_restricted_ring(ring_.ring_fd);
    if (result < 0) return result;
    watch_event();
    return 0;
}

// Without them (kernel < 5.19) it is waited until there is something to be received, and that is
// received then.
void UringRing::lend_buffers() {
    io_uring_buf_reg registration{};
    registration.ring_addr = reinterpret_cast<std::uint64_t>(buffers_.entries());
    registration.ring_entries = buffers_.count();
    registration.bgid = receive_buffers;
    has_buffers_ = io_uring_register_buf_ring(&ring_, &registration, 0) == 0;
    if (has_buffers_) buffers_.lend_all();
}

void UringRing::watch_event() {
    io_uring_sqe& poll = entry();
    io_uring_prep_poll_multishot(&poll, event_.get(), POLLIN);
    io_uring_sqe_set_data64(&poll, wake_data);
}

void UringRing::submit(Operation& operation) {
    using Kind = Request::Kind;
    ASSERT(!operation.in_flight);
    operation.in_flight = true;
    switch (operation.request.kind) {
        case Kind::accept:
        case Kind::receive:
        case Kind::send:
        case Kind::exchange:
        case Kind::send_file:
        case Kind::write: return submit_to_kernel(operation);
        case Kind::map:
            operation.result = inline_.map(operation.request);
            return ready_.push(operation);
        case Kind::sleep:
            if (operation.request.deadline > now_) return timers_.add(operation);
            operation.result = -ETIMEDOUT;
            return ready_.push(operation);
        case Kind::read:
            if (places_.is_far(operation.request)) return submit_to_helper(operation);
            return submit_to_kernel(operation);
        default: return submit_to_helper(operation);
    }
}

void UringRing::submit_to_kernel(Operation& operation) {
    const Request& request = operation.request;
    if (is_spliced(request)) return submit_splice(operation);
    if (request.kind != Request::Kind::send_file) file_sender_.restore(request.fd);
    const std::uint64_t data = slots_.occupy(operation);
    if (request.kind == Request::Kind::exchange && operation.progress == 0) {
        operation.progress = request.source.size();
        io_uring_sqe& sending = first_of_two();
        io_uring_prep_send(&sending, request.fd, request.source.data(), request.source.size(),
                           MSG_NOSIGNAL | MSG_WAITALL);
        mark_first_of_two(sending, data);
    }
    io_uring_sqe& target = entry();
    prepare(operation, target);
    io_uring_sqe_set_data64(&target, data);
    if (request.deadline != never) timers_.add(operation);
}

void UringRing::submit_to_helper(Operation& operation) {
    operation.progress = 0;  // a helper starts from the beginning
    places_.prepare(operation);
    if (helpers_.submit(operation, returned_)) return;
    // Not -EAGAIN for files: of a lock that would be -EWOULDBLOCK, "held by another".
    operation.result = operation.request.kind == Request::Kind::offload ? -EAGAIN : -ENOBUFS;
    ready_.push(operation);
}

void UringRing::prepare(Operation& operation, io_uring_sqe& entry) {
    using Kind = Request::Kind;
    const Request& request = operation.request;
    const std::size_t done = operation.progress;
    switch (request.kind) {
        case Kind::accept:
            return io_uring_prep_accept(&entry, request.fd, request.peer->raw(),
                                        request.peer->raw_octets(), SOCK_CLOEXEC);
        case Kind::receive:
        case Kind::exchange: return prepare_receive(request.fd, entry);
        case Kind::send:
            io_uring_prep_send(&entry, request.fd, request.source.data() + done,
                               request.source.size() - done,
                               MSG_NOSIGNAL | MSG_WAITALL | (request.more ? MSG_MORE : 0));
            if (request.zero_copy && can_send_zero_copy_ && !operation.copies)
                entry.opcode = IORING_OP_SEND_ZC;
            return;
        case Kind::send_file:  // until the socket has room
            return io_uring_prep_poll_add(&entry, request.fd, POLLOUT);
        case Kind::read:
            return io_uring_prep_read(&entry, request.fd, request.target.data() + done,
                                      static_cast<unsigned>(request.target.size() - done),
                                      request.offset + done);
        case Kind::write:  // offset -1: the file's own position
            return io_uring_prep_write(&entry, request.fd, request.source.data() + done,
                                       static_cast<unsigned>(request.source.size() - done),
                                       ~std::uint64_t{0});
        default: ASSERT(!"not for the kernel");
    }
}

// What a client says next has seldom come already: no look before the wait (kernel >= 5.19).
void UringRing::prepare_receive(int socket, io_uring_sqe& entry) const {
    if (!has_buffers_) return io_uring_prep_poll_add(&entry, socket, POLLIN);
    io_uring_prep_recv(&entry, socket, nullptr, 0, 0);
    entry.ioprio = IORING_RECVSEND_POLL_FIRST;
    entry.flags = IOSQE_BUFFER_SELECT;
    entry.buf_group = receive_buffers;
}

// File to pipe to socket, each by a worker thread of the kernel.
void UringRing::submit_splice(Operation& operation) {
    const Request& request = operation.request;
    Pipe pipe;
    if (!file_sender_.lend(pipe)) {
        operation.result = static_cast<std::int64_t>(operation.progress);
        return ready_.push(operation);
    }
    file_sender_.restore(request.fd);
    const auto octets = static_cast<unsigned>(std::min<std::uint64_t>(
        request.octets - operation.progress, pipe.octets_max / 2));  // a page more where unaligned
    const bool is_last = operation.progress + octets == request.octets && !request.more;
    pipe.octets = octets;
    const int in = pipe.in.get();
    const int out = pipe.out.get();
    splices_.emplace(&operation, std::move(pipe));
    const std::uint64_t data = slots_.occupy(operation);
    io_uring_sqe& filling = first_of_two();
    io_uring_prep_splice(&filling, request.file,
                         static_cast<std::int64_t>(request.offset + operation.progress), in, -1,
                         octets, 0);
    mark_first_of_two(filling, data);
    io_uring_sqe& emptying = entry();
    io_uring_prep_splice(&emptying, out, -1, request.fd, -1, octets, is_last ? 0 : SPLICE_F_MORE);
    io_uring_sqe_set_data64(&emptying, data);
    if (request.deadline != never) timers_.add(operation);
}

// Linked: the second begins when the first has done all of its work. Skipping the completion of a
// first that went well (kernel >= 5.17) leaves one event, and so one wait, for both.
io_uring_sqe& UringRing::first_of_two() {
    if (io_uring_sq_space_left(&ring_) < 2) io_uring_submit(&ring_);  // a link must not be torn
    return entry();
}

void UringRing::mark_first_of_two(io_uring_sqe& first, std::uint64_t data) {
    io_uring_sqe_set_flags(&first, IOSQE_IO_LINK | (can_skip_ ? IOSQE_CQE_SKIP_SUCCESS : 0));
    io_uring_sqe_set_data64(&first, data | sending_bit);
}

io_uring_sqe& UringRing::entry() {
    io_uring_sqe* entry = io_uring_get_sqe(&ring_);
    if (entry == nullptr) {  // the submission queue is full: hand over what is prepared
        ASSERT(io_uring_submit(&ring_) >= 0);
        entry = io_uring_get_sqe(&ring_);
        ASSERT(entry != nullptr);
    }
    return *entry;
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
            cancel_in_kernel(slots_.data_of(operation) | sending_bit, ignored_data);
            break;
        case Kind::sleep:
            if (!operation.timed) return;  // has ended already
            timers_.remove(operation);
            operation.result = -ECANCELED;
            return ready_.push(operation);
        default: return;  // short, or a helper's
    }
    cancel_in_kernel(slots_.data_of(operation), slots_.data_of(operation) | cancel_bit);
}

// A cancellation that hits is silent where the kernel can: its operation's own completion tells.
void UringRing::cancel_in_kernel(std::uint64_t target, std::uint64_t data) {
    io_uring_sqe& request = entry();
    io_uring_prep_cancel64(&request, target, 0);
    if (can_skip_) io_uring_sqe_set_flags(&request, IOSQE_CQE_SKIP_SUCCESS);
    io_uring_sqe_set_data64(&request, data);
}

// It missed. Where the operation is still there it was between two states: submitted in the same
// turn, or the second half of an exchange that was not begun yet.
void UringRing::cancel_again(std::uint64_t data) {
    Operation* operation = slots_.find(data);
    if (operation != nullptr) cancel(*operation);
}

void UringRing::close(int fd) {
    file_sender_.restore(fd);
    if (!places_.forget(fd)) {
        ::close(fd);
        return;
    }
    io_uring_sqe& closing = entry();
    io_uring_prep_close(&closing, fd);
    io_uring_sqe_set_data64(&closing, ignored_data);
}

void UringRing::turn() {
    wait();
    inline_.begin_turn();
    now_ = read_monotonic_clock();
    wall_time_ = {nanoseconds_of(CLOCK_REALTIME)};
    take_events();
    expire();
    for (std::size_t left = ready_.size(); left > 0; --left) {
        Operation* operation = ready_.pop();
        complete(*operation, operation->result);
    }
}

void UringRing::wait() {
    const Instant look = timers_.next_look();
    if (ready_.size() > 0) {
        // -EBUSY, -EAGAIN: completions have to be taken first, which comes next.
        io_uring_submit_and_get_events(&ring_);
        return;
    }
    io_uring_cqe* first = nullptr;
    if (look == never) {
        io_uring_submit_and_wait_timeout(&ring_, &first, 1, nullptr, nullptr);
        return;
    }
    const Duration ahead = std::max(look - read_monotonic_clock(), Duration(0));
    __kernel_timespec timeout{ahead.count() / 1'000'000'000, ahead.count() % 1'000'000'000};
    io_uring_submit_and_wait_timeout(&ring_, &first, 1, &timeout, nullptr);
}

// Copied before any is handled: handling prepares new requests, which may have to enter the kernel.
void UringRing::take_events() {
    Event events[completions_a_turn_max];
    unsigned head = 0;
    std::size_t count = 0;
    io_uring_cqe* completion = nullptr;
    io_uring_for_each_cqe(&ring_, head, completion) {
        if (count == completions_a_turn_max) break;
        events[count++] = {completion->user_data, completion->res, completion->flags};
    }
    io_uring_cq_advance(&ring_, static_cast<unsigned>(count));
    for (std::size_t i = 0; i < count; ++i) handle(events[i]);
}

void UringRing::handle(const Event& event) {
    if (event.data == ignored_data) return;
    if ((event.flags & IORING_CQE_F_NOTIF) != 0)
        return;  // of a zero-copy send, which has completed
    if (event.data == wake_data) {
        std::uint64_t count = 0;
        [[maybe_unused]] const ssize_t got = ::read(event_.get(), &count, sizeof count);
        if ((event.flags & IORING_CQE_F_MORE) == 0) watch_event();  // CQ overflow ends a multishot
        return take_returned();
    }
    if ((event.data & cancel_bit) != 0) {
        if (event.result < 0) cancel_again(event.data);
        return;
    }
    // Of a first half that failed; then the second completes silently (IOSQE_CQE_SKIP_SUCCESS).
    const bool is_first = (event.data & sending_bit) != 0;
    if (is_first && !can_skip_) return;  // the second tells
    Operation& operation = slots_.at(event.data);
    slots_.vacate(operation);
    timers_.remove(operation);
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
    if (request.kind == Kind::accept && result >= 0) {
        ::getsockname(result, request.local->raw(), request.local->raw_octets());
    }
    if (request.kind == Kind::accept) return complete(operation, result);
    // What is on its way counts as locked memory (RLIMIT_MEMLOCK).
    if (request.zero_copy && !operation.copies && (result == -ENOMEM || result == -ENOBUFS)) {
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
    const bool is_waited_for = !has_buffers_ && event.result >= 0;
    if (event.result == -ENOBUFS || is_waited_for) return receive_inline(operation);
    if ((event.flags & IORING_CQE_F_BUFFER) == 0) return complete(operation, event.result);
    const unsigned id = event.flags >> IORING_CQE_BUFFER_SHIFT;
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
        if (is_empty) file_sender_.give_back(std::move(pipe));
        if (result == -ECANCELED) result = 0;  // the first half found less in the file
    } else if (result >= 0) {
        result = file_sender_.send(request, operation.progress);
    }
    if (result == -EAGAIN || result == -EINTR) return submit_to_kernel(operation);
    if (result < 0) return complete(operation, result);
    operation.progress += static_cast<std::uint64_t>(result);
    if (result > 0 && operation.progress < request.octets) return submit_to_kernel(operation);
    complete(operation, static_cast<std::int64_t>(operation.progress));
}

void UringRing::complete(Operation& operation, std::int64_t result) {
    const bool has_failed_sending = operation.request.kind == Request::Kind::exchange &&
                                    result == -ECANCELED && !operation.cancelled;
    if (has_failed_sending) result = -EPIPE;
    operation.result = result == -ECANCELED && operation.timed_out ? -ETIMEDOUT : result;
    operation.in_flight = false;
    operation.on_complete(operation);
}

void UringRing::expire() {
    while (Operation* operation = timers_.pop_expired(now_)) {
        operation->timed_out = true;
        if (operation->request.kind == Request::Kind::sleep) {
            complete(*operation, -ETIMEDOUT);
        } else {
            cancel(*operation);
        }
    }
}

void UringRing::take_returned() {
    OperationQueue finished = returned_.take_all();
    while (Operation* operation = finished.pop()) {
        places_.note(*operation);
        complete(*operation, operation->result);
    }
}

void UringRing::wake() {
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(event_.get(), &one, sizeof one);
}

void UringRing::fill_random(std::span<std::byte> target) {
    ASSERT(target.size() <= random_.size());
    if (random_left_ < target.size()) {
        const ssize_t got = ::getrandom(random_.data(), random_.size(), 0);
        ASSERT(got == static_cast<ssize_t>(random_.size()));
        random_left_ = random_.size();
    }
    random_left_ -= target.size();
    std::memcpy(target.data(), random_.data() + random_left_, target.size());
    explicit_bzero(random_.data() + random_left_, target.size());
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
