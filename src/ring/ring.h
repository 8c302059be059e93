#pragma once
/// The one waist to the kernel. Three implementations: UringRing (uring_ring.h), EpollRing
/// (epoll_ring.h) and, for tests, SimRing (tests/sim). Everything a reactor wants from the world
/// goes through it: network, files, time, randomness, blocking work.

#include <cstddef>
#include <span>

#include "base/clock.h"
#include "ring/operation.h"

namespace restante {

/// Belongs to one thread, the reactor's; all but wake() are called there only. Not re-entrant:
/// completions run inside turn().
class Ring {
public:
    virtual ~Ring() = default;

    /// Answers what the kernel's caches can answer without waiting: true, and `result` is set.
    /// False: submit it. Never calls on_complete.
    virtual bool attempt(Operation& operation) = 0;
    /// Starts it; on_complete is called from a later turn(), never from here.
    virtual void submit(Operation& operation) = 0;
    /// Asks for an early end of an operation in flight. It still completes, with -ECANCELED or with
    /// what it had come to; helper work runs to its end.
    virtual void cancel(Operation& operation) = 0;
    /// Closes a descriptor that came from this ring; nothing may be in flight on it.
    virtual void close(int fd) = 0;

    /// Submits what was prepared, waits until something completes, a deadline passes or wake() is
    /// called, then runs the completions.
    virtual void turn() = 0;
    /// From any thread: ends the wait of the present or the next turn().
    virtual void wake() = 0;

    /// Read once a turn.
    virtual Instant now() const = 0;
    virtual WallTime wall_time() const = 0;
    /// Cryptographically strong (in the simulator: from its seed); 256 octets at most.
    virtual void fill_random(std::span<std::byte> target) = 0;
};

/// Owns a descriptor that came from a ring; move-only. Nothing may be in flight on it when it ends.
class Handle {
public:
    Handle() = default;  ///< empty
    Handle(Ring& ring, int fd) : ring_(&ring), fd_(fd) { ASSERT(fd >= 0); }
    Handle(Handle&& other) noexcept : ring_(other.ring_), fd_(other.release()) {}
    Handle& operator=(Handle&& other) noexcept {
        reset();
        ring_ = other.ring_;
        fd_ = other.release();
        return *this;
    }
    Handle(const Handle&) = delete;
    Handle& operator=(const Handle&) = delete;
    ~Handle() { reset(); }

    bool is_open() const { return fd_ >= 0; }
    /// Where it came from; not of an empty one.
    Ring& ring() const { return *ring_; }
    int get() const {
        ASSERT(fd_ >= 0);
        return fd_;
    }
    int release() {
        const int fd = fd_;
        fd_ = -1;
        return fd;
    }
    /// Closes it; its ring() is still known.
    void reset() {
        if (fd_ >= 0) ring_->close(release());
    }

private:
    Ring* ring_ = nullptr;
    int fd_ = -1;
};

}  // namespace restante
