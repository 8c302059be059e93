#pragma once
/// What a simulated run is made of: its seed, its moods and its misfortunes.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "ring/operation.h"
#include "sim/sim_random.h"

namespace restante::sim {

/// What Ring::attempt() does where it may answer.
enum class InlineAnswers : std::uint8_t { by_seed, always, never };

/// Probabilities are 0 (never) to 1 (always). The defaults are a rough but honest world: no faults.
struct SimOptions {
    std::uint64_t seed = 1;
    /// A turn runs some of what is ready in any order; false: all of it, first come, first served.
    bool shuffle = true;
    /// A receive gets any part of what has arrived, a send leaves in any parts.
    bool short_reads = true;
    /// Receives and sends move one octet at a time.
    bool octet_by_octet = false;
    InlineAnswers inline_answers = InlineAnswers::by_seed;
    double reset_probability = 0;       ///< -ECONNRESET, of each receive and each part of a send
    double file_error_probability = 0;  ///< -EIO; -ENOSPC of replace_file
    /// Of each operation: any errno that it may return (errnos_of).
    double any_errno_probability = 0;
    /// Of each operation that is submitted: it completes late, cancelled or not, by `late_max` at
    /// most.
    double late_probability = 0;
    Duration late_max = std::chrono::seconds(5);
    /// A file is read in parts, with what others do in between.
    bool torn_reads = false;
    /// Of each read of a file: fewer octets than the file has, as if it had just been cut off.
    double short_file_probability = 0;
    /// A directory is listed in parts: what is renamed meanwhile may be skipped, or come twice.
    bool listings_in_parts = false;
    /// What other programs rename, replace or unlink may be undone by a power cut until a folder of
    /// it is synced.
    bool lazy_changes = false;
    /// Of each map and each part of a send_file: what it is about is not in memory.
    double cold_probability = 0.1;
    /// -ENOBUFS (-EAGAIN of offload), of each operation that takes a helper thread.
    double queue_full_probability = 0;
    std::size_t window_octets = 16 * 1024;  ///< in transit, each direction of a connection
    std::size_t descriptors_max = 100'000;  ///< -EMFILE beyond
    bool lock_by_file = false;              ///< NFS: Request::lock locks `restante.lock`
    bool reuse_inodes = false;  ///< ext4: a new file gets the number of the last one removed
};

/// What an operation of `kind` may return (man pages, openat2(2) for EAGAIN), but for what is a
/// statement about the disk or the connection: -ENOENT and the like are said when they are true.
std::span<const int> errnos_of(Request::Kind kind);

/// Decides which operations fail, by plan first, then by dice.
class SimFaults {
public:
    SimFaults(const SimOptions& options, SimRandom& random) : options_(options), random_(random) {}

    /// Of the operations of `kind`, `skip` go on as they would, the next `count` end with `error`
    /// (negative). For remove each Removal counts.
    struct Plan {
        Request::Kind kind;
        int error;
        unsigned count = 1;
        unsigned skip = 0;
    };
    void plan(const Plan& plan);

    /// 0, or the error with which the next operation of `kind` ends.
    int next(Request::Kind kind);
    /// Whether the helper queue is full for an operation of `kind`.
    bool is_queue_full(Request::Kind kind);

private:
    int planned(Request::Kind kind);
    int usual(Request::Kind kind);

    const SimOptions& options_;
    SimRandom& random_;
    std::vector<Plan> plans_;
};

}  // namespace restante::sim
