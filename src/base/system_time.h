#pragma once
/// The system's clock, for what runs where there is no ring: at the start, on the main thread, in
/// the subcommands. Whoever has a ring asks that one (ring/ring.h).

#include <time.h>

#include "base/clock.h"

namespace restante {

inline WallTime system_time() {
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    return {now.tv_sec * std::int64_t{1'000'000'000} + now.tv_nsec};
}

}  // namespace restante
