#include "ring/ring_services.h"

#include <sys/random.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ctime>
#include <utility>

#include "ring/mapping.h"

namespace restante {
namespace {

/// Those that gave way (yield()) have so much of a turn, in their order: however many they are, who
/// waits for a single reply waits no longer.
constexpr Duration ready_time_max = std::chrono::microseconds(500);

std::int64_t nanoseconds_of(clockid_t clock) {
    timespec time{};
    ::clock_gettime(clock, &time);
    return time.tv_sec * std::int64_t{1'000'000'000} + time.tv_nsec;
}

}  // namespace

Instant read_monotonic_clock() { return Instant(Duration(nanoseconds_of(CLOCK_MONOTONIC))); }

RingServices::RingServices(HelperPool& helpers, bool storage_is_local, Fd event)
    : places(storage_is_local),
      inline_answers(places, file_sender),
      timers(read_monotonic_clock()),
      helpers_(helpers),
      event_(std::move(event)),
      returned_(event_.get()),
      now_(read_monotonic_clock()),
      wall_time_{nanoseconds_of(CLOCK_REALTIME)} {
    guard_mappings();
}

bool RingServices::submit(Operation& operation) {
    using Kind = Request::Kind;
    switch (operation.request.kind) {
        case Kind::accept:
        case Kind::receive:
        case Kind::send:
        case Kind::exchange:
        case Kind::send_file:
        case Kind::write: return false;
        case Kind::read:
            if (!places.is_far(operation.request)) return false;
            submit_to_helper(operation);
            return true;
        case Kind::map:
        case Kind::shutdown:
            inline_answers.attempt(operation, false);
            ready_.push(operation);
            return true;
        case Kind::sleep:
            if (operation.request.deadline > now_) {
                timers.add(operation);
            } else {
                complete_later(operation, -ETIMEDOUT);
            }
            return true;
        default: submit_to_helper(operation); return true;
    }
}

void RingServices::submit_to_helper(Operation& operation) {
    places.prepare(operation);
    if (helpers_.submit(operation, returned_)) return;
    // Not -EAGAIN for files: of a lock that would be -EWOULDBLOCK, "held by another".
    complete_later(operation,
                   operation.request.kind == Request::Kind::offload ? -EAGAIN : -ENOBUFS);
}

void RingServices::cancel_sleep(Operation& operation) {
    if (!operation.timed) return;  // has ended already
    timers.remove(operation);
    complete_later(operation, -ECANCELED);
}

bool RingServices::close(int fd) {
    file_sender.restore(fd);
    if (places.forget(fd)) return false;
    ::close(fd);
    return true;
}

void RingServices::complete(Operation& operation, std::int64_t result) {
    const bool has_failed_sending = operation.request.kind == Request::Kind::exchange &&
                                    result == -ECANCELED && !operation.cancelled;
    if (has_failed_sending) result = -EPIPE;
    operation.result = result == -ECANCELED && operation.timed_out ? -ETIMEDOUT : result;
    operation.in_flight = false;
    operation.on_complete(operation);
}

void RingServices::complete_later(Operation& operation, std::int64_t result) {
    operation.result = result;
    ready_.push(operation);
}

void RingServices::begin_turn() {
    inline_answers.begin_turn();
    now_ = read_monotonic_clock();
    wall_time_ = {nanoseconds_of(CLOCK_REALTIME)};
}

void RingServices::end_turn(Ring& ring) {
    while (Operation* operation = timers.pop_expired(now_)) {
        operation->timed_out = true;
        if (operation->request.kind == Request::Kind::sleep) {
            complete(*operation, -ETIMEDOUT);
        } else {
            ring.cancel(*operation);
        }
    }
    if (ready_.size() == 0) return;
    const Instant end = read_monotonic_clock() + ready_time_max;
    for (std::size_t left = ready_.size(); left > 0 && read_monotonic_clock() < end; --left) {
        Operation* operation = ready_.pop();
        complete(*operation, operation->result);
    }
}

OperationQueue RingServices::take_returned() {
    std::uint64_t count = 0;
    [[maybe_unused]] const ssize_t got = ::read(event_.get(), &count, sizeof count);
    return returned_.take_all();
}

void RingServices::wake() {
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(event_.get(), &one, sizeof one);
}

void RingServices::fill_random(std::span<std::byte> target) {
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

}  // namespace restante
