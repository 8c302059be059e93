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
#include <vector>

#include "base/fd.h"
#include "ring/blocking_calls.h"
#include "ring/timer_wheel.h"

namespace restante {
namespace {

constexpr unsigned submission_entries = 1024;
constexpr unsigned completion_entries = 16 * 1024;
constexpr std::size_t completions_a_turn_max = 256;
/// Octets sent inline between two turns: a client that takes all it is given must not keep the
/// others waiting.
constexpr std::size_t sent_inline_octets_max = 256 * 1024;

/// user_data of completions that are no Operation's; real ones carry generation << 32 | slot.
constexpr std::uint64_t wake_data = ~std::uint64_t{0};
constexpr std::uint64_t ignored_data = wake_data - 1;
/// Marks the first half of an exchange.
constexpr std::uint64_t sending_bit = std::uint64_t{1} << 63;
/// Marks the cancellation of an operation.
constexpr std::uint64_t cancel_bit = std::uint64_t{1} << 62;
constexpr std::uint32_t generation_mask = 0x3FFF'FFFF;

std::int64_t nanoseconds_of(clockid_t clock) {
    timespec time{};
    ::clock_gettime(clock, &time);
    return time.tv_sec * std::int64_t{1'000'000'000} + time.tv_nsec;
}

Instant read_monotonic_clock() { return Instant(Duration(nanoseconds_of(CLOCK_MONOTONIC))); }

class UringRing final : public Ring {
public:
    UringRing(HelperPool& helpers, UringOptions options, Fd event)
        : helpers_(helpers),
          options_(options),
          event_(std::move(event)),
          returned_(event_.get()),
          now_(read_monotonic_clock()),
          wall_time_{nanoseconds_of(CLOCK_REALTIME)},
          timers_(now_) {}
    ~UringRing() override {
        if (set_up_) io_uring_queue_exit(&ring_);
    }

    /// 0 or -errno.
    int set_up();

    bool attempt(Operation& operation) override;
    void submit(Operation& operation) override;
    void cancel(Operation& operation) override;
    void close(int fd) override { ::close(fd); }
    void turn() override;
    void wake() override;
    Instant now() const override { return now_; }
    WallTime wall_time() const override { return wall_time_; }
    void fill_random(std::span<std::byte> target) override;

private:
    struct Slot {
        Operation* operation = nullptr;
        std::uint32_t generation = 0;
        std::uint32_t next_free = 0;
    };
    struct Event {
        std::uint64_t data;
        std::int32_t result;
        std::uint32_t flags;
    };

    bool attempt_send(Operation& operation);
    io_uring_sqe& entry();
    void prepare(Operation& operation, io_uring_sqe& entry);
    void prepare_sending(Operation& operation, std::uint64_t data);
    void cancel_in_kernel(std::uint64_t target, std::uint64_t data);
    void cancel_again(std::uint64_t data);
    void submit_to_kernel(Operation& operation);
    void submit_to_helper(Operation& operation);
    std::uint64_t occupy(Operation& operation);
    std::uint64_t data_of(const Operation& operation) const;
    void watch_event();
    void wait();
    void take_events();
    void handle(const Event& event);
    void finish_transfer(Operation& operation, std::int32_t result);
    void complete(Operation& operation, std::int64_t result);
    void expire();
    void take_returned();

    HelperPool& helpers_;
    const UringOptions options_;
    Fd event_;  // readable: helpers have finished something, or wake()
    HelperReturn returned_;
    io_uring ring_{};
    bool set_up_ = false;
    bool can_skip_ = false;
    Instant now_;
    WallTime wall_time_;
    TimerWheel timers_;
    std::vector<Slot> slots_;
    std::uint32_t first_free_ = no_slot;
    std::array<std::byte, 256> random_{};  // getrandom(2) gives up to 256 octets whole
    std::size_t random_left_ = 0;
    std::size_t sent_inline_ = 0;  // octets since the last turn
    OperationQueue ready_;         // ended without the kernel: cancelled sleeps, full helper queues

    static constexpr std::uint32_t no_slot = ~std::uint32_t{0};
};

// DEFER_TASKRUN: completions are worked off where we wait for them and nowhere else.
int UringRing::set_up() {
    int result = -EINVAL;
    for (const unsigned flags : {IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN, 0u}) {
        io_uring_params parameters{};
        parameters.flags = flags | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP;
        parameters.cq_entries = completion_entries;
        result = io_uring_queue_init_params(submission_entries, &ring_, &parameters);
        if (result != -EINVAL) break;  // kernel < 6.1 does not know the flags
    }
    if (result < 0) return result;
    set_up_ = true;
    can_skip_ = (ring_.features & IORING_FEAT_CQE_SKIP) != 0;
    watch_event();
    return 0;
}

void UringRing::watch_event() {
    io_uring_sqe& poll = entry();
    io_uring_prep_poll_multishot(&poll, event_.get(), POLLIN);
    io_uring_sqe_set_data64(&poll, wake_data);
}

bool UringRing::attempt(Operation& operation) {
    using Kind = Request::Kind;
    switch (operation.request.kind) {
        case Kind::send: return attempt_send(operation);
        case Kind::shutdown:  // never waits; through the ring it would always go to a worker thread
            operation.result = ::shutdown(operation.request.fd, SHUT_WR) < 0 ? -errno : 0;
            return true;
        case Kind::open:
        case Kind::status:
        case Kind::status_at:
        case Kind::lock:
        case Kind::read: break;
        default: return false;
    }
    if (!options_.storage_is_local) return false;
    operation.result = carry_out_cached(operation.request);
    if (operation.request.kind == Kind::lock)
        return true;  // -EWOULDBLOCK, the same number, is its answer
    if (operation.result == -EAGAIN || operation.result == -EOPNOTSUPP) return false;
    if (operation.request.kind != Kind::read) return true;
    const auto got = static_cast<std::size_t>(operation.result);
    if (operation.result < 0 || got == operation.request.target.size() || got == 0) return true;
    operation.progress = got;  // what is cached; the ring reads on
    return false;
}

// Room in the socket's buffer is the rule: a call instead of a turn. What did not fit is the
// ring's.
bool UringRing::attempt_send(Operation& operation) {
    const Request& request = operation.request;
    if (sent_inline_ + request.source.size() > sent_inline_octets_max) return false;
    const int flags = MSG_NOSIGNAL | MSG_DONTWAIT | (request.more ? MSG_MORE : 0);
    const ssize_t sent = ::send(request.fd, request.source.data(), request.source.size(), flags);
    if (sent < 0) {
        if (errno == EAGAIN || errno == EINTR) return false;
        operation.result = -errno;
        return true;
    }
    operation.progress = static_cast<std::uint64_t>(sent);
    operation.result = sent;
    sent_inline_ += operation.progress;
    return operation.progress == request.source.size();
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
        case Kind::write: return submit_to_kernel(operation);
        case Kind::sleep: return timers_.add(operation);
        case Kind::read:
            if (options_.storage_is_local) return submit_to_kernel(operation);
            return submit_to_helper(operation);
        default: return submit_to_helper(operation);
    }
}

void UringRing::submit_to_kernel(Operation& operation) {
    const std::uint64_t data = occupy(operation);
    if (operation.request.kind == Request::Kind::exchange) prepare_sending(operation, data);
    io_uring_sqe& target = entry();
    prepare(operation, target);
    io_uring_sqe_set_data64(&target, data);
    if (operation.request.deadline != never) timers_.add(operation);
}

void UringRing::submit_to_helper(Operation& operation) {
    operation.progress = 0;  // a helper starts from the beginning
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
        case Kind::exchange:
            return io_uring_prep_recv(&entry, request.fd, request.target.data(),
                                      request.target.size(), 0);
        case Kind::send:
            return io_uring_prep_send(&entry, request.fd, request.source.data() + done,
                                      request.source.size() - done,
                                      MSG_NOSIGNAL | MSG_WAITALL | (request.more ? MSG_MORE : 0));
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

// Linked: the receive begins when all has been sent. Skipping the completion of a send that went
// well (kernel >= 5.17) leaves one event, and so one wait, for both.
void UringRing::prepare_sending(Operation& operation, std::uint64_t data) {
    if (io_uring_sq_space_left(&ring_) < 2) io_uring_submit(&ring_);  // a link must not be torn
    io_uring_sqe& sending = entry();
    const std::span<const char> source = operation.request.source;
    io_uring_prep_send(&sending, operation.request.fd, source.data(), source.size(),
                       MSG_NOSIGNAL | MSG_WAITALL);
    io_uring_sqe_set_flags(&sending, IOSQE_IO_LINK | (can_skip_ ? IOSQE_CQE_SKIP_SUCCESS : 0));
    io_uring_sqe_set_data64(&sending, data | sending_bit);
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

std::uint64_t UringRing::occupy(Operation& operation) {
    if (first_free_ == no_slot) {
        first_free_ = static_cast<std::uint32_t>(slots_.size());
        slots_.push_back({nullptr, 0, no_slot});
    }
    operation.slot = first_free_;
    Slot& slot = slots_[first_free_];
    first_free_ = slot.next_free;
    slot.operation = &operation;
    return data_of(operation);
}

std::uint64_t UringRing::data_of(const Operation& operation) const {
    return std::uint64_t{slots_[operation.slot].generation} << 32 | operation.slot;
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
        case Kind::exchange:  // whichever half is under way
            cancel_in_kernel(data_of(operation) | sending_bit, ignored_data);
            break;
        case Kind::sleep:
            if (!operation.timed) return;  // has ended already
            timers_.remove(operation);
            operation.result = -ECANCELED;
            return ready_.push(operation);
        default: return;  // short, or a helper's
    }
    cancel_in_kernel(data_of(operation), data_of(operation) | cancel_bit);
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
    const auto index = static_cast<std::uint32_t>(data);
    ASSERT(index < slots_.size());
    const Slot& slot = slots_[index];
    const bool is_same = slot.generation == ((data & ~cancel_bit) >> 32);
    if (is_same && slot.operation != nullptr) cancel(*slot.operation);
}

void UringRing::turn() {
    wait();
    sent_inline_ = 0;
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
    // Of a send that failed; then the linked receive completes silently (IOSQE_CQE_SKIP_SUCCESS).
    const bool is_sending = (event.data & sending_bit) != 0;
    if (is_sending && !can_skip_) return;  // the receive tells
    const auto index = static_cast<std::uint32_t>(event.data);
    ASSERT(index < slots_.size());
    Slot& slot = slots_[index];
    ASSERT(slot.generation == ((event.data & ~sending_bit) >> 32));
    ASSERT(slot.operation != nullptr);
    Operation& operation = *slot.operation;
    slot.operation = nullptr;
    slot.generation = (slot.generation + 1) & generation_mask;
    slot.next_free = first_free_;
    first_free_ = index;
    timers_.remove(operation);
    finish_transfer(operation, is_sending ? -ECANCELED : event.result);
}

void UringRing::finish_transfer(Operation& operation, std::int32_t result) {
    using Kind = Request::Kind;
    const Request& request = operation.request;
    if (request.kind == Kind::accept && result >= 0) {
        ::getsockname(result, request.local->raw(), request.local->raw_octets());
    }
    const bool is_one_step = request.kind == Kind::receive || request.kind == Kind::accept ||
                             request.kind == Kind::exchange;
    if (is_one_step) return complete(operation, result);
    if (result < 0 && result != -EINTR) return complete(operation, result);
    if (result > 0) operation.progress += static_cast<std::uint64_t>(result);
    const std::size_t wanted =
        request.kind == Kind::read ? request.target.size() : request.source.size();
    const bool ended = operation.progress == wanted || result == 0;
    if (ended) return complete(operation, static_cast<std::int64_t>(operation.progress));
    if (operation.cancelled) return complete(operation, -ECANCELED);
    submit_to_kernel(operation);  // the rest
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
    while (Operation* operation = finished.pop()) complete(*operation, operation->result);
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

std::string refusal(int error) {
    const std::string cause = std::string("io_uring is not available: ") + strerrordesc_np(error);
    switch (error) {
        case ENOSYS:
            return cause +
                   "; the kernel is older than 5.15 or a seccomp filter hides it (Docker's default "
                   "profile does: run with --security-opt seccomp=unconfined or a profile that "
                   "allows io_uring_setup, io_uring_enter and io_uring_register)";
        case EPERM:
        case EACCES:
            return cause +
                   "; allow it with `sysctl kernel.io_uring_disabled=0`, or in the container's "
                   "seccomp profile (io_uring_setup, io_uring_enter, io_uring_register)";
        case ENOMEM:
            return cause +
                   "; raise the limit of locked memory (`ulimit -l`, systemd: LimitMEMLOCK=) or "
                   "lower [runtime] reactors";
        case EMFILE:
        case ENFILE:
            return cause + "; raise the limit of open files (`ulimit -n`, systemd: LimitNOFILE=)";
        default: return cause + "; restante needs Linux 5.15 or newer";
    }
}

}  // namespace

std::expected<std::unique_ptr<Ring>, std::string> make_uring_ring(HelperPool& helpers,
                                                                  UringOptions options) {
    const int event = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (event < 0) return std::unexpected(refusal(errno));
    auto ring = std::make_unique<UringRing>(helpers, options, Fd(event));
    const int result = ring->set_up();
    if (result < 0) return std::unexpected(refusal(-result));
    return ring;
}

}  // namespace restante
