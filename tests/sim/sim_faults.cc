#include "sim/sim_faults.h"

#include <cerrno>

#include "base/assert.h"

namespace restante::sim {

void SimFaults::plan(const Plan& plan) {
    ASSERT(plan.error < 0);
    ASSERT(plan.count >= 1);
    plans_.push_back(plan);
}

int SimFaults::next(Request::Kind kind) {
    const int error = planned(kind);
    if (error != 0) return error;
    using Kind = Request::Kind;
    switch (kind) {
        case Kind::receive:
        case Kind::send:
        case Kind::send_file: return random_.chance(options_.reset_probability) ? -ECONNRESET : 0;
        case Kind::open:
        case Kind::status_at:
        case Kind::read:
        case Kind::list_directory:
        case Kind::remove:
        case Kind::sync: return random_.chance(options_.file_error_probability) ? -EIO : 0;
        case Kind::replace_file:
            return random_.chance(options_.file_error_probability) ? -ENOSPC : 0;
        case Kind::accept:
        case Kind::shutdown:
        case Kind::sleep:
        case Kind::status:
        case Kind::exchange:
        case Kind::map:
        case Kind::write:
        case Kind::lock:
        case Kind::offload: return 0;
    }
    return 0;
}

int SimFaults::planned(Request::Kind kind) {
    for (auto plan = plans_.begin(); plan != plans_.end(); ++plan) {
        if (plan->kind != kind) continue;
        if (plan->skip > 0) {
            --plan->skip;
            return 0;
        }
        const int error = plan->error;
        if (--plan->count == 0) plans_.erase(plan);
        return error;
    }
    return 0;
}

// Not lock: its -EWOULDBLOCK is the same number and means that another holds it.
bool SimFaults::is_queue_full(Request::Kind kind) {
    using Kind = Request::Kind;
    switch (kind) {
        case Kind::open:
        case Kind::status_at:
        case Kind::list_directory:
        case Kind::remove:
        case Kind::sync:
        case Kind::replace_file:
        case Kind::offload: return random_.chance(options_.queue_full_probability);
        default: return false;
    }
}

}  // namespace restante::sim
