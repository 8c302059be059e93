#pragma once
/// io_uring itself: its set-up, what can be asked of it, and its completions (liburing).

#include <linux/time_types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "base/clock.h"
#include "ring/operation.h"
#include "ring/receive_buffers.h"

struct io_uring;
struct io_uring_sqe;

namespace restante {

/// Of one UringRing, on whose thread it is made and used. What is asked is submitted by wait(), or
/// before where the queue is full. Each request comes with the user_data that its completion will
/// have.
class UringQueue {
public:
    struct Event {
        std::uint64_t data;
        std::int32_t result;
        std::uint32_t flags;

        bool has_more() const;   ///< a multishot request goes on
        bool is_notice() const;  ///< of a zero-copy send, which has completed before
        bool has_buffer() const;
        unsigned buffer() const;  ///< of what was received; only with has_buffer()
    };

    UringQueue();
    UringQueue(const UringQueue&) = delete;
    UringQueue& operator=(const UringQueue&) = delete;
    ~UringQueue();

    /// 0 or -errno. `buffers`, which outlive it, are lent to the kernel where it takes any.
    int set_up(ReceiveBuffers& buffers);

    /// A first half that went well completes silently (kernel >= 5.17).
    bool can_skip() const { return can_skip_; }
    bool can_send_zero_copy() const { return can_send_zero_copy_; }
    /// Otherwise (kernel < 5.19) receive() only tells when there is something to be received.
    bool has_buffers() const { return has_buffers_; }

    /// Accept, receive, exchange's receive, send, read, write: what follows its first
    /// `operation.progress` octets. Of send_file: waits until the socket has room.
    void ask(const Operation& operation, std::uint64_t data);
    /// The first half of an exchange: all of it is sent before the ask() that must follow.
    void ask_first(const Request& exchange, std::uint64_t data);
    /// Both halves of a splice through a pipe, from `in` to `out`.
    struct Splice {
        FilePart from;
        int in;
        int out;
        int socket;
        bool is_last;  ///< its last segment is not held back
    };
    void splice(const Splice& splice, std::uint64_t first_data, std::uint64_t data);
    /// Of what has `target` as its user_data. Silent where it hits and the kernel can be.
    void cancel(std::uint64_t target, std::uint64_t data);
    void close(int fd, std::uint64_t data);
    /// Completes each time that `fd` becomes readable, as long as has_more().
    void watch(int fd, std::uint64_t data);

    /// 0 or -errno, where the kernel takes nothing at all.
    int submit();
    /// Submits, then waits for a completion until `look`, or not so long; not at all where that is
    /// Instant(). A request of its own keeps the time: `alarm` completes when it is over, which
    /// alarm_has_rung() is to be told; `update`, which puts it forward, says nothing.
    void wait(Instant look, std::uint64_t alarm, std::uint64_t update);
    void alarm_has_rung() { alarm_ = never; }
    /// Takes completions that there are; the part of `events` that it has filled.
    std::span<Event> take(std::span<Event> events);

private:
    struct Free {
        void operator()(io_uring* ring) const;
    };
    int make();
    int probe();
    io_uring_sqe& entry();
    io_uring_sqe& first_of_two();
    void mark_first_of_two(io_uring_sqe& first, std::uint64_t data) const;
    void prepare_receive(int socket, io_uring_sqe& entry) const;
    void prepare_send(const Operation& operation, io_uring_sqe& entry) const;

    std::unique_ptr<io_uring, Free> ring_;
    Instant alarm_ = never;           // when the alarm will complete; `never`: there is none
    __kernel_timespec alarm_time_{};  // the same; read when it is submitted
    bool is_made_ = false;
    bool can_skip_ = false;
    bool can_send_zero_copy_ = false;
    bool has_buffers_ = false;
};

}  // namespace restante
