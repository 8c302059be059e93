#include "sim/sim_faults.h"

#include <cerrno>

#include "base/assert.h"

namespace restante::sim {
namespace {

constexpr int accept_errnos[] = {ECONNABORTED, EMFILE, ENFILE,       ENOBUFS,     ENOMEM,
                                 EPROTO,       EINTR,  EHOSTUNREACH, ENETUNREACH, ENETDOWN,
                                 EHOSTDOWN,    ENONET, ENOPROTOOPT,  EOPNOTSUPP,  EPERM};
constexpr int receive_errnos[] = {ECONNRESET, ETIMEDOUT, EHOSTUNREACH, ENOMEM, ENOTCONN};
constexpr int send_errnos[] = {ECONNRESET,  EPIPE,   ETIMEDOUT, EHOSTUNREACH,
                               ENETUNREACH, ENOBUFS, ENOMEM};
constexpr int shutdown_errnos[] = {ENOTCONN};
constexpr int open_errnos[] = {EACCES, EPERM, EIO,    EMFILE, ENFILE,   ENOMEM,
                               ELOOP,  EINTR, ESTALE, EAGAIN, EOVERFLOW};
constexpr int status_errnos[] = {EIO, ENOMEM, EOVERFLOW, ESTALE};
constexpr int status_at_errnos[] = {EACCES, EIO, ENOMEM, ELOOP, ESTALE, EOVERFLOW};
constexpr int read_errnos[] = {EIO, ENOMEM, EINTR, ESTALE, EUCLEAN};
constexpr int write_errnos[] = {ENOSPC, EDQUOT, EIO, EPIPE, EFBIG};
constexpr int lock_errnos[] = {EINTR, ENOLCK, EIO, ENOMEM, EACCES};
constexpr int list_errnos[] = {EIO, ENOMEM, ESTALE, EUCLEAN};
constexpr int remove_errnos[] = {EIO, EACCES, EPERM, EROFS, EBUSY, ENOMEM, EDQUOT, EINTR};
constexpr int sync_errnos[] = {EIO, ENOSPC, EDQUOT, EROFS, EINVAL, EINTR};
constexpr int replace_errnos[] = {ENOSPC, EDQUOT, EIO, EROFS, EACCES, EMFILE, ENFILE, ENOMEM};
constexpr int offload_errnos[] = {EAGAIN};

}  // namespace

std::span<const int> errnos_of(Request::Kind kind) {
    using Kind = Request::Kind;
    switch (kind) {
        case Kind::accept: return accept_errnos;
        case Kind::receive: return receive_errnos;
        case Kind::send:
        case Kind::send_file: return send_errnos;
        case Kind::shutdown: return shutdown_errnos;
        case Kind::open: return open_errnos;
        case Kind::status: return status_errnos;
        case Kind::status_at: return status_at_errnos;
        case Kind::read: return read_errnos;
        case Kind::write: return write_errnos;
        case Kind::lock: return lock_errnos;
        case Kind::list_directory: return list_errnos;
        case Kind::remove: return remove_errnos;
        case Kind::sync: return sync_errnos;
        case Kind::replace_file: return replace_errnos;
        case Kind::offload: return offload_errnos;
        case Kind::sleep:
        case Kind::exchange:  // as its two halves
        case Kind::map: return {};
    }
    return {};
}

void SimFaults::plan(const Plan& plan) {
    ASSERT(plan.error < 0);
    ASSERT(plan.count >= 1);
    plans_.push_back(plan);
}

int SimFaults::next(Request::Kind kind) {
    const int error = planned(kind);
    if (error != 0) return error;
    const std::span<const int> possible = errnos_of(kind);
    if (!possible.empty() && random_.chance(options_.any_errno_probability))
        return -possible[random_.below(possible.size())];
    return usual(kind);
}

int SimFaults::usual(Request::Kind kind) {
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
