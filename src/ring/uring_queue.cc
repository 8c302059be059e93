#include "ring/uring_queue.h"

#include <liburing.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>

#include "ring/ring_services.h"
#include "ring/uring_restrictions.h"

namespace restante {
namespace {

constexpr unsigned submission_entries = 1024;
constexpr unsigned completion_entries = 16 * 1024;
/// Worker threads of the kernel for this ring: closing far files must not keep the log waiting.
constexpr unsigned kernel_workers_max = 64;

/// The only group of provided buffers.
constexpr std::uint16_t receive_buffers = 0;

constexpr std::array needed_operations = {
    IORING_OP_ACCEPT, IORING_OP_ASYNC_CANCEL, IORING_OP_CLOSE,  IORING_OP_POLL_ADD, IORING_OP_READ,
    IORING_OP_RECV,   IORING_OP_SEND,         IORING_OP_SPLICE, IORING_OP_WRITE};

}  // namespace

bool UringQueue::Event::has_more() const { return (flags & IORING_CQE_F_MORE) != 0; }
bool UringQueue::Event::is_notice() const { return (flags & IORING_CQE_F_NOTIF) != 0; }
bool UringQueue::Event::has_buffer() const { return (flags & IORING_CQE_F_BUFFER) != 0; }
unsigned UringQueue::Event::buffer() const { return flags >> IORING_CQE_BUFFER_SHIFT; }

void UringQueue::Free::operator()(io_uring* ring) const { delete ring; }

UringQueue::UringQueue() : ring_(new io_uring{}) {}

UringQueue::~UringQueue() {
    if (is_made_) io_uring_queue_exit(ring_.get());
}

int UringQueue::set_up(ReceiveBuffers& buffers) {
    int result = make();
    if (result < 0) return result;
    can_skip_ = (ring_->features & IORING_FEAT_CQE_SKIP) != 0;
    io_uring_buf_reg registration{};
    registration.ring_addr = reinterpret_cast<std::uint64_t>(buffers.entries());
    registration.ring_entries = buffers.count();
    registration.bgid = receive_buffers;
    has_buffers_ = io_uring_register_buf_ring(ring_.get(), &registration, 0) == 0;
    if (has_buffers_) buffers.lend_all();
    unsigned workers[] = {kernel_workers_max, 0};  // 0: as it is
    io_uring_register_iowq_max_workers(ring_.get(), workers);
    io_uring_register_ring_fd(ring_.get());  // kernel >= 5.18: not looked up at each turn
    return enable_restricted_ring(ring_->ring_fd);
}

// DEFER_TASKRUN: completions are worked off where we wait for them and nowhere else.
int UringQueue::make() {
    int result = -EINVAL;
    for (const unsigned flags : {IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN, 0u}) {
        io_uring_params parameters{};
        parameters.flags =
            flags | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP | IORING_SETUP_R_DISABLED;
        parameters.cq_entries = completion_entries;
        result = io_uring_queue_init_params(submission_entries, ring_.get(), &parameters);
        if (result != -EINVAL) break;  // kernel < 6.1 does not know the flags
    }
    if (result < 0) return result;
    is_made_ = true;
    // As old as multishot poll, which has no sign of its own (kernel 5.13).
    const bool has_multishot_poll = (ring_->features & IORING_FEAT_RSRC_TAGS) != 0;
    return has_multishot_poll ? probe() : -EOPNOTSUPP;
}

// Not io_uring_get_probe_ring(), which does not tell the error.
int UringQueue::probe() {
    constexpr unsigned operations_max = 256;
    const std::unique_ptr<io_uring_probe, decltype(&std::free)> found(
        static_cast<io_uring_probe*>(
            std::calloc(1, sizeof(io_uring_probe) + operations_max * sizeof(io_uring_probe_op))),
        std::free);
    ASSERT(found != nullptr);
    const int result = io_uring_register_probe(ring_.get(), found.get(), operations_max);
    if (result < 0) return result;
    const auto is_there = [&found](int operation) {
        return io_uring_opcode_supported(found.get(), operation) != 0;
    };
    can_send_zero_copy_ = is_there(IORING_OP_SEND_ZC);
    return std::ranges::all_of(needed_operations, is_there) ? 0 : -EOPNOTSUPP;
}

void UringQueue::ask(const Operation& operation, std::uint64_t data) {
    using Kind = Request::Kind;
    const Request& request = operation.request;
    const std::size_t done = operation.progress;
    io_uring_sqe& entry = this->entry();
    switch (request.kind) {
        case Kind::accept:
            io_uring_prep_accept(&entry, request.fd, request.peer->raw(),
                                 request.peer->raw_octets(), SOCK_CLOEXEC);
            break;
        case Kind::receive:
        case Kind::exchange: prepare_receive(request.fd, entry); break;
        case Kind::send: prepare_send(operation, entry); break;
        case Kind::send_file: io_uring_prep_poll_add(&entry, request.fd, POLLOUT); break;
        case Kind::read:
            io_uring_prep_read(&entry, request.fd, request.target.data() + done,
                               static_cast<unsigned>(request.target.size() - done),
                               request.offset + done);
            break;
        case Kind::write:  // offset -1: the file's own position
            io_uring_prep_write(&entry, request.fd, request.source.data() + done,
                                static_cast<unsigned>(request.source.size() - done),
                                ~std::uint64_t{0});
            break;
        default: ASSERT(!"not for the kernel");
    }
    io_uring_sqe_set_data64(&entry, data);
}

// What a client says next has seldom come already: no look before the wait (kernel >= 5.19).
void UringQueue::prepare_receive(int socket, io_uring_sqe& entry) const {
    if (!has_buffers_) return io_uring_prep_poll_add(&entry, socket, POLLIN);
    io_uring_prep_recv(&entry, socket, nullptr, 0, 0);
    entry.ioprio = IORING_RECVSEND_POLL_FIRST;
    entry.flags = IOSQE_BUFFER_SELECT;
    entry.buf_group = receive_buffers;
}

void UringQueue::prepare_send(const Operation& operation, io_uring_sqe& entry) const {
    const Request& request = operation.request;
    const int whole = operation.copies ? 0 : MSG_WAITALL;
    io_uring_prep_send(&entry, request.fd, request.source.data() + operation.progress,
                       request.source.size() - operation.progress,
                       MSG_NOSIGNAL | whole | (request.more ? MSG_MORE : 0));
    if (request.zero_copy && can_send_zero_copy_ && !operation.copies)
        entry.opcode = IORING_OP_SEND_ZC;
}

void UringQueue::ask_first(const Request& exchange, std::uint64_t data) {
    io_uring_sqe& sending = first_of_two();
    io_uring_prep_send(&sending, exchange.fd, exchange.source.data(), exchange.source.size(),
                       MSG_NOSIGNAL | MSG_WAITALL);
    mark_first_of_two(sending, data);
}

// File to pipe to socket, each by a worker thread of the kernel.
void UringQueue::splice(const Splice& splice, std::uint64_t first_data, std::uint64_t data) {
    const auto octets = static_cast<unsigned>(splice.from.octets);
    io_uring_sqe& filling = first_of_two();
    io_uring_prep_splice(&filling, splice.from.file, static_cast<std::int64_t>(splice.from.offset),
                         splice.in, -1, octets, 0);
    mark_first_of_two(filling, first_data);
    io_uring_sqe& emptying = entry();
    io_uring_prep_splice(&emptying, splice.out, -1, splice.socket, -1, octets,
                         splice.is_last ? 0 : SPLICE_F_MORE);
    io_uring_sqe_set_data64(&emptying, data);
}

void UringQueue::cancel(std::uint64_t target, std::uint64_t data) {
    io_uring_sqe& request = entry();
    io_uring_prep_cancel64(&request, target, 0);
    if (can_skip_) io_uring_sqe_set_flags(&request, IOSQE_CQE_SKIP_SUCCESS);
    io_uring_sqe_set_data64(&request, data);
}

void UringQueue::close(int fd, std::uint64_t data) {
    io_uring_sqe& closing = entry();
    io_uring_prep_close(&closing, fd);
    io_uring_sqe_set_data64(&closing, data);
}

void UringQueue::watch(int fd, std::uint64_t data) {
    io_uring_sqe& poll = entry();
    io_uring_prep_poll_multishot(&poll, fd, POLLIN);
    io_uring_sqe_set_data64(&poll, data);
}

// Linked: the second begins when the first has done all of its work. Skipping the completion of a
// first that went well (kernel >= 5.17) leaves one event, and so one wait, for both.
io_uring_sqe& UringQueue::first_of_two() {
    if (io_uring_sq_space_left(ring_.get()) < 2)
        io_uring_submit(ring_.get());  // a link must not be torn
    return entry();
}

void UringQueue::mark_first_of_two(io_uring_sqe& first, std::uint64_t data) const {
    io_uring_sqe_set_flags(&first, IOSQE_IO_LINK | (can_skip_ ? IOSQE_CQE_SKIP_SUCCESS : 0));
    io_uring_sqe_set_data64(&first, data);
}

io_uring_sqe& UringQueue::entry() {
    io_uring_sqe* entry = io_uring_get_sqe(ring_.get());
    if (entry == nullptr) {  // the submission queue is full: hand over what is prepared
        ASSERT(io_uring_submit(ring_.get()) >= 0);
        entry = io_uring_get_sqe(ring_.get());
        ASSERT(entry != nullptr);
    }
    return *entry;
}

int UringQueue::submit() { return std::min(io_uring_submit(ring_.get()), 0); }

// A time-out of each wait would be a timer to start and to stop in each turn. Most turns end long
// before, and the next has mostly the same deadline.
void UringQueue::wait(Instant look, std::uint64_t alarm, std::uint64_t update) {
    if (look == Instant()) {
        // -EBUSY, -EAGAIN: completions have to be taken first, which comes next.
        io_uring_submit_and_get_events(ring_.get());
        return;
    }
    if (look < alarm_) {
        const std::int64_t since_boot = look.time_since_epoch().count();
        alarm_time_ = {since_boot / 1'000'000'000, since_boot % 1'000'000'000};
        io_uring_sqe& request = entry();
        if (alarm_ == never) {
            io_uring_prep_timeout(&request, &alarm_time_, 0, IORING_TIMEOUT_ABS);
            io_uring_sqe_set_data64(&request, alarm);
        } else {
            io_uring_prep_timeout_update(&request, &alarm_time_, alarm, IORING_TIMEOUT_ABS);
            io_uring_sqe_set_data64(&request, update);
            if (can_skip_) io_uring_sqe_set_flags(&request, IOSQE_CQE_SKIP_SUCCESS);
        }
        alarm_ = look;
    }
    io_uring_submit_and_wait(ring_.get(), 1);
}

std::span<UringQueue::Event> UringQueue::take(std::span<Event> events) {
    unsigned head = 0;
    std::size_t count = 0;
    io_uring_cqe* completion = nullptr;
    io_uring_for_each_cqe(ring_.get(), head, completion) {
        if (count == events.size()) break;
        events[count++] = {completion->user_data, completion->res, completion->flags};
    }
    io_uring_cq_advance(ring_.get(), static_cast<unsigned>(count));
    return events.first(count);
}

}  // namespace restante
