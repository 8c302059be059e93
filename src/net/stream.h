#pragma once
/// One connection's octets. TCP for now; TLS becomes a second kind behind the same calls.

#include <span>

#include "base/result.h"
#include "ring/ring.h"
#include "ring/task.h"

namespace restante {

/// How long octets of a refused client are still read, and how many, so that its last reply is not
/// lost to a reset (close() with unread octets sends one).
inline constexpr Duration linger_max = std::chrono::seconds(1);
inline constexpr std::size_t linger_octets_max = 256 * 1024;

/// Owns the socket. One coroutine uses it: at most one operation is in flight.
class Stream {
public:
    Stream(Ring& ring, Handle socket) : ring_(ring), socket_(std::move(socket)) {}

    /// Octets received, 0 at the end; -errno.
    Completion receive(std::span<char> target, Instant deadline) {
        return start(Request::receive(socket_.get(), target).until(deadline));
    }
    /// All of `source`, or -errno. `more`: it may wait for the next send.
    Completion send(std::span<const char> source, bool more, Instant deadline) {
        return start(Request::send(socket_.get(), source, more).until(deadline));
    }
    /// Octets sent, see Request::send_file; what follows is held back for more. -errno.
    Completion send_file(const FilePart& part, FileSending sending, Instant deadline) {
        return start(Request::send_file(socket_.get(), part, sending, true).until(deadline));
    }
    /// All of `source`, from where it lies; -errno.
    Completion send_zero_copy(std::span<const char> source, Instant deadline) {
        return start(Request::send_zero_copy(socket_.get(), source).until(deadline));
    }
    /// receive() once all of `source`, if anything, was sent; -EPIPE where it was not.
    Completion exchange(std::span<const char> source, std::span<char> target, Instant deadline) {
        if (source.empty()) return receive(target, deadline);
        return start(Request::exchange(socket_.get(), source, target).until(deadline));
    }
    /// Until `until`: always ends with -ETIMEDOUT or -ECANCELED.
    Completion pause(Instant until) { return start(Request::sleep().until(until)); }
    /// send() that an earlier interrupt() does not refuse.
    Completion send_last(std::span<const char> source, Instant deadline) {
        return perform(ring_, Request::send(socket_.get(), source, false).until(deadline),
                       in_flight_);
    }
    /// Ends what is in flight, and all that is asked later, with -ECANCELED.
    void interrupt() {
        is_interrupted_ = true;
        if (in_flight_ != nullptr) ring_.cancel(*in_flight_);
    }

    /// Closes at once.
    void close() { socket_.reset(); }
    /// Sends FIN, then reads and forgets what is still coming, then closes.
    Task<void> close_lingering();

private:
    Completion start(const Request& request) {
        return Completion(ring_, request, &in_flight_, is_interrupted_);
    }

    Ring& ring_;
    Handle socket_;
    Operation* in_flight_ = nullptr;
    bool is_interrupted_ = false;
};

}  // namespace restante
