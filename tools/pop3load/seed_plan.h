#pragma once
/// Which mail a seed gives: drawn anew by whoever needs it, always the same.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "random.h"
#include "seed.h"

namespace pop3load {

struct PlannedMessage {
    std::uint64_t identity;
    std::uint64_t octets;  ///< on the wire
};

/// The messages of one maildrop, one after the other. `options` outlives it.
class MaildropPlan {
public:
    MaildropPlan(const SeedOptions& options, std::size_t maildrop);
    std::uint64_t count() const { return count_; }
    /// At most count() times; not where there is a pool.
    PlannedMessage next();
    /// The first of the pool's `pool_messages` that it links to; the others follow it in turn.
    std::uint64_t pool_start(std::uint64_t pool_messages);

private:
    const SeedOptions& options_;
    std::uint64_t stream_;
    Random random_;
    std::uint64_t count_;
    std::uint64_t drawn_ = 0;
};

/// The messages of the pool.
std::vector<PlannedMessage> plan_pool(const SeedOptions& options, std::uint64_t messages);

/// All of it, added up.
struct SeedTotals {
    std::uint64_t messages = 0;
    std::uint64_t files = 0;          ///< folders too
    std::uint64_t octets = 0;         ///< of the messages on the wire, each as often as it is there
    std::uint64_t stored_octets = 0;  ///< what the file system needs, a little overestimated
    std::uint64_t pool_messages = 0;  ///< at least as many as the fullest maildrop has; 0: no pool
};
SeedTotals plan_totals(const SeedOptions& options);

}  // namespace pop3load
