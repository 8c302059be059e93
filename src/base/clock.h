#pragma once
/// Two kinds of time. Nobody but a Ring reads a clock (ring/ring.h): the simulator has its own.

#include <chrono>
#include <cstdint>

namespace restante {

using Duration = std::chrono::nanoseconds;

/// Monotonic time: deadlines and durations. Origin unspecified.
struct MonotonicClock {
    using rep = std::int64_t;
    using period = std::nano;
    using duration = Duration;
    using time_point = std::chrono::time_point<MonotonicClock>;
    static constexpr bool is_steady = true;
};
using Instant = MonotonicClock::time_point;

/// Nanoseconds since 1970-01-01T00:00:00Z: log lines, file times.
struct WallTime {
    std::int64_t nanoseconds = 0;
    friend auto operator<=>(const WallTime&, const WallTime&) = default;
};

inline constexpr Instant never = Instant::max();

}  // namespace restante
