#include "ring/epoll_ring.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstring>
#include <utility>
#include <vector>

#include "ring/epoll_watches.h"
#include "ring/receive_buffers.h"
#include "ring/ring_services.h"

namespace restante {
namespace {

constexpr std::size_t events_a_turn_max = 256;

using What = EpollWatches::What;

class EpollRing final : public Ring {
public:
    EpollRing(HelperPool& helpers, bool storage_is_local, Fd event, Fd epoll)
        : services_(helpers, storage_is_local, std::move(event)), watches_(std::move(epoll)) {}
    ~EpollRing() override;

    /// 0 or -errno.
    int set_up() { return watches_.watch(services_.event()); }

    bool attempt(Operation& operation) override {
        return services_.inline_answers.attempt(operation, false);
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
    struct Closing;

    void wait(Operation& operation, What what);
    void wait_for_input(Operation& operation);
    void take_events();
    void try_again(Operation& operation);
    void accept(Operation& operation);
    void receive(Operation& operation);
    void send(Operation& operation);
    void send_file(Operation& operation);
    void finish_write(Operation& operation);
    void take_returned();

    RingServices services_;
    EpollWatches watches_;
    OperationQueue to_try_;  // what may have something to do now; in no timer
    std::vector<Operation*> found_;
    std::array<char, ReceiveBuffers::buffer_octets> received_;
    std::size_t closings_ = 0;
};

/// The close of a far file, by a helper (FUSE waits for its flush).
struct EpollRing::Closing final : Work {
    Closing(EpollRing& closer, int closed)
        : ring(closer), fd(closed), operation(Request::offload(HelperKind::far_files, *this)) {
        operation.context = this;
        operation.on_complete = [](Operation& ended) { end(static_cast<Closing*>(ended.context)); };
        ++ring.closings_;
    }
    void run() override { ::close(fd); }
    static void end(Closing* ended) {
        const std::unique_ptr<Closing> owner(ended);
        if (ended->operation.result < 0) ended->run();  // no helper had room for it
        --ended->ring.closings_;
    }

    EpollRing& ring;
    const int fd;
    Operation operation;
};

EpollRing::~EpollRing() {
    while (closings_ > 0) turn();
}

void EpollRing::submit(Operation& operation) {
    using Kind = Request::Kind;
    ASSERT(!operation.in_flight);
    operation.in_flight = true;
    if (services_.submit(operation)) return;
    switch (operation.request.kind) {
        case Kind::accept: return wait(operation, What::connections);
        case Kind::receive: return wait_for_input(operation);
        case Kind::send:
        case Kind::exchange: return send(operation);
        case Kind::send_file: return to_try_.push(operation);  // the others' turn first
        case Kind::read:
        case Kind::write: return services_.submit_to_helper(operation);
        default: ASSERT(!"the services' own");
    }
}

void EpollRing::wait(Operation& operation, What what) {
    if (what == What::output && watches_.take_room(operation.request.fd))
        return to_try_.push(operation);
    const int refused = watches_.wait(operation, what);
    if (refused < 0) return services_.complete_later(operation, refused);
    if (operation.request.deadline != never) services_.timers.add(operation);
}

void EpollRing::wait_for_input(Operation& operation) {
    if (watches_.has_input(operation.request.fd)) return to_try_.push(operation);
    wait(operation, What::input);
}

// What is about to be tried again sees that it is cancelled, and what a helper does runs to its
// end.
void EpollRing::cancel(Operation& operation) {
    if (!operation.in_flight) return;
    operation.cancelled = true;
    using Kind = Request::Kind;
    switch (operation.request.kind) {
        case Kind::sleep: return services_.cancel_sleep(operation);
        case Kind::accept:
        case Kind::receive:
        case Kind::send:
        case Kind::exchange:
        case Kind::send_file:
        case Kind::write:
            if (!watches_.stop(operation)) return;
            services_.timers.remove(operation);
            return services_.complete_later(operation, -ECANCELED);
        default: return;
    }
}

void EpollRing::close(int fd) {
    watches_.forget(fd);
    if (services_.close(fd)) return;
    submit((new Closing(*this, fd))->operation);
}

void EpollRing::turn() {
    take_events();
    for (std::size_t left = to_try_.size(); left > 0; --left) try_again(*to_try_.pop());
    services_.end_turn(*this);
}

void EpollRing::take_events() {
    const Instant look = to_try_.size() > 0 ? Instant() : services_.next_look();
    int patience_ms = -1;
    if (look != never) {
        const Duration ahead = std::max(look - read_monotonic_clock(), Duration(0));
        const auto whole = std::chrono::ceil<std::chrono::milliseconds>(ahead).count();
        patience_ms = static_cast<int>(std::min<std::int64_t>(whole, INT_MAX));
    }
    std::array<epoll_event, events_a_turn_max> events;
    const std::size_t count = watches_.poll(events, patience_ms);
    services_.begin_turn();
    bool has_returned = false;
    for (const epoll_event& event : std::span(events).first(count)) {
        const bool is_own = event.data.fd == services_.event();
        has_returned = has_returned || is_own;
        if (!is_own) watches_.take(event, found_);
    }
    for (Operation* operation : found_) {
        services_.timers.remove(*operation);
        to_try_.push(*operation);
    }
    found_.clear();
    if (has_returned) take_returned();
}

void EpollRing::try_again(Operation& operation) {
    if (operation.cancelled) return services_.complete_later(operation, -ECANCELED);
    using Kind = Request::Kind;
    switch (operation.request.kind) {
        case Kind::accept: return accept(operation);
        case Kind::receive: return receive(operation);
        case Kind::send: return send(operation);
        case Kind::exchange:
            if (operation.progress < operation.request.source.size()) return send(operation);
            return receive(operation);
        case Kind::send_file: return send_file(operation);
        case Kind::write: return services_.submit_to_helper(operation);
        default: ASSERT(!"never waits for a descriptor");
    }
}

void EpollRing::accept(Operation& operation) {
    const Request& request = operation.request;
    const int accepted =
        ::accept4(request.fd, request.peer->raw(), request.peer->raw_octets(), SOCK_CLOEXEC);
    if (accepted < 0 && errno == EAGAIN) return wait(operation, What::connections);
    if (accepted < 0) return services_.complete_later(operation, -errno);
    watches_.forget(accepted);
    if (request.local != nullptr)
        ::getsockname(accepted, request.local->raw(), request.local->raw_octets());
    services_.complete_later(operation, accepted);
}

// Fewer octets than there is room for were all (epoll(7)); but an end is told once, and may have
// been told with them.
void EpollRing::receive(Operation& operation) {
    const int socket = operation.request.fd;
    const ssize_t got = ::recv(socket, received_.data(), received_.size(), MSG_DONTWAIT);
    const int error = got < 0 ? errno : 0;
    if (error == EINTR) return to_try_.push(operation);
    if (error == EAGAIN) {
        watches_.note_nothing(socket);
        return wait(operation, What::input);
    }
    if (got < static_cast<ssize_t>(received_.size())) watches_.note_drained(socket);
    operation.received_first = received_.data();
    RingServices::complete(operation, got < 0 ? -error : got);
    explicit_bzero(received_.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
}

void EpollRing::send(Operation& operation) {
    const Request& request = operation.request;
    const bool is_exchange = request.kind == Request::Kind::exchange;
    const std::size_t left = request.source.size() - operation.progress;
    const int flags = MSG_NOSIGNAL | MSG_DONTWAIT | (request.more ? MSG_MORE : 0);
    const ssize_t sent =
        ::send(request.fd, request.source.data() + operation.progress, left, flags);
    if (sent < 0 && errno == EAGAIN) return wait(operation, What::output);
    if (sent < 0 && errno != EINTR)
        return services_.complete_later(operation, is_exchange ? -EPIPE : -errno);
    operation.progress += static_cast<std::uint64_t>(std::max<ssize_t>(sent, 0));
    if (operation.progress < request.source.size()) return to_try_.push(operation);
    if (is_exchange) return wait_for_input(operation);
    services_.complete_later(operation, static_cast<std::int64_t>(operation.progress));
}

void EpollRing::send_file(Operation& operation) {
    const Request& request = operation.request;
    const std::int64_t sent = services_.file_sender.send(request, operation.progress);
    if (sent == -EAGAIN) return wait(operation, What::output);
    if (sent == -EINTR) return to_try_.push(operation);
    if (sent < 0) return services_.complete_later(operation, sent);
    operation.progress += static_cast<std::uint64_t>(sent);
    if (sent > 0 && operation.progress < request.octets) return to_try_.push(operation);
    services_.complete_later(operation, static_cast<std::int64_t>(operation.progress));
}

void EpollRing::take_returned() {
    OperationQueue finished = services_.take_returned();
    while (Operation* operation = finished.pop()) {
        services_.places.note(*operation);
        if (operation->request.kind == Request::Kind::write) {
            finish_write(*operation);
        } else {
            RingServices::complete(*operation, operation->result);
        }
    }
}

void EpollRing::finish_write(Operation& operation) {
    const std::int64_t written = operation.result;
    const bool is_full = written == -EAGAIN;
    if (written < 0 && !is_full) return services_.complete_later(operation, written);
    operation.progress += static_cast<std::uint64_t>(std::max<std::int64_t>(written, 0));
    if (written == 0 || operation.progress == operation.request.source.size())
        return services_.complete_later(operation, static_cast<std::int64_t>(operation.progress));
    if (operation.cancelled) return services_.complete_later(operation, -ECANCELED);
    if (is_full) return wait(operation, What::output);
    services_.submit_to_helper(operation);
}

}  // namespace

std::expected<std::unique_ptr<Ring>, std::string> make_epoll_ring(HelperPool& helpers,
                                                                  bool storage_is_local) {
    const auto refused = [](int error) {
        return std::unexpected(std::string("epoll is not available: ") + strerrordesc_np(error) +
                               "; raise the limit of open files (`ulimit -n`, systemd: "
                               "LimitNOFILE=)");
    };
    const int event = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (event < 0) return refused(errno);
    Fd owned_event(event);
    const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0) return refused(errno);
    auto ring =
        std::make_unique<EpollRing>(helpers, storage_is_local, std::move(owned_event), Fd(epoll));
    const int result = ring->set_up();
    if (result < 0) return refused(-result);
    return ring;
}

}  // namespace restante
