#pragma once
/// From plain test code into coroutines and back.

#include <fcntl.h>

#include <cstdint>
#include <utility>

#include "base/assert.h"
#include "ring/task.h"
#include "sim/sim_ring.h"

namespace restante::sim {

inline void ignore_end(void*) {}

/// Runs the world until `task` has ended, deadlines included; that it ends is asserted.
template <class T>
T finish(SimRing& ring, Task<T> task) {
    task.start(ignore_end, nullptr);
    const bool has_ended = ring.run_until([&task] { return task.is_done(); });
    ASSERT(has_ended);
    return task.take();
}

inline Task<std::int64_t> result_of(Ring& ring, Request request) {
    const std::int64_t result = co_await perform(ring, request);
    co_return result;
}

/// The result of one request.
inline std::int64_t ask(SimRing& ring, const Request& request) {
    return finish(ring, result_of(ring, request));
}

/// The same for requests that give a descriptor, and must.
inline Handle ask_for_handle(SimRing& ring, const Request& request) {
    const std::int64_t fd = ask(ring, request);
    ASSERT(fd >= 0);
    return Handle(ring, static_cast<int>(fd));
}

/// `path` is absolute.
inline Handle open_directory(SimRing& ring, const char* path) {
    return ask_for_handle(ring, Request::open(AT_FDCWD, path, Request::Open::directory));
}

}  // namespace restante::sim
