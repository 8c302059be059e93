#pragma once
/// Simulated time: stands still but for advance().

#include "base/assert.h"
#include "base/clock.h"

namespace restante::sim {

/// Both clocks of a simulated machine, and the coarser one that stamps its files.
class SimClock {
public:
    Instant now() const { return now_; }
    WallTime wall_time() const { return wall_time_; }
    /// What a kernel before 6.13 stamps on files: wall time at the last tick (250 Hz). Two changes
    /// within one tick cannot be told apart.
    WallTime file_time() const {
        return {wall_time_.nanoseconds - wall_time_.nanoseconds % tick.count()};
    }

    void advance(Duration by) {
        ASSERT(by >= Duration(0));
        now_ += by;
        wall_time_.nanoseconds += by.count();
    }
    /// Nothing where `when` has passed.
    void advance_to(Instant when) {
        if (when > now_) advance(when - now_);
    }
    /// Somebody sets the wall clock, forwards or backwards; deadlines do not notice.
    void step_wall_time(Duration by) { wall_time_.nanoseconds += by.count(); }

    static constexpr Duration tick = std::chrono::milliseconds(4);

private:
    Instant now_{std::chrono::hours(1)};
    WallTime wall_time_{1'700'000'000'000'000'000};  // 2023-11-14T22:13:20Z
};

}  // namespace restante::sim
