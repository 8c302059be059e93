#pragma once
/// What the rings of a real kernel do alike, whichever of its interfaces they wait with.

#include <array>
#include <cstddef>
#include <span>

#include "base/clock.h"
#include "base/fd.h"
#include "ring/descriptor_places.h"
#include "ring/file_sender.h"
#include "ring/helper_pool.h"
#include "ring/inline_answers.h"
#include "ring/ring.h"
#include "ring/timer_wheel.h"

namespace restante {

/// Of one ring: clocks, deadlines, sleeps, helpers' work, answers without waiting, randomness.
/// Belongs to the ring's thread; all but wake() are called there only.
class RingServices {
public:
    /// `event`: a non-blocking eventfd. See UringOptions for `storage_is_local`. `helpers` outlives
    /// it.
    RingServices(HelperPool& helpers, bool storage_is_local, Fd event);

    DescriptorPlaces places;
    FileSender file_sender;
    InlineAnswers inline_answers;
    TimerWheel timers;

    /// Ring::submit() of what needs no kernel interface to wait with. False: the ring's own to do;
    /// accept, receive, the sends, exchange, write, and reads of near files.
    bool submit(Operation& operation);
    void submit_to_helper(Operation& operation);
    /// Ring::cancel() of a sleep.
    void cancel_sleep(Operation& operation);
    /// Ring::close(). False: the close may wait, and is left to the ring.
    bool close(int fd);

    /// Ends an operation, now: only within Ring::turn().
    static void complete(Operation& operation, std::int64_t result);
    /// Ends it in this turn's end_turn(), or in the next turn.
    void complete_later(Operation& operation, std::int64_t result);

    /// When Ring::turn() must look again, at the latest; in the past where something can be done
    /// at once.
    Instant next_look() const { return ready_.size() > 0 ? Instant() : timers.next_look(); }
    /// After the wait: what now() says until the next.
    void begin_turn();
    /// Ends what is over: deadlines that have passed (of all but sleeps by ring.cancel()), then
    /// complete_later()'s.
    void end_turn(Ring& ring);

    /// Readable: there is something for take_returned().
    int event() const { return event_.get(); }
    /// Takes note of wake(), and of the operations that helpers have finished.
    OperationQueue take_returned();
    void wake();

    Instant now() const { return now_; }
    WallTime wall_time() const { return wall_time_; }
    void fill_random(std::span<std::byte> target);

private:
    HelperPool& helpers_;
    Fd event_;  // helpers have finished something, or wake()
    HelperReturn returned_;
    Instant now_;
    WallTime wall_time_;
    OperationQueue ready_;  // ended without the kernel: cancelled sleeps, full helper queues
    std::array<std::byte, 256> random_{};  // getrandom(2) gives up to 256 octets whole
    std::size_t random_left_ = 0;
};

/// CLOCK_MONOTONIC.
Instant read_monotonic_clock();

}  // namespace restante
