#pragma once
/// What a real user database runs on in a simulated world: the machine's own files, simulated time,
/// and helpers that take their time to hash.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "passing_ring.h"
#include "sim/sim_ring.h"

namespace restante::sim {

/// So many hashes at once, each for so long; the others wait in their order, as in the helper pool.
/// Everything else is done at once.
class AccountRing final : public PassingRing {
public:
    AccountRing(SimRing& ring, std::size_t helpers, Duration hash_time);
    ~AccountRing() override;

    bool attempt(Operation& operation) override;
    void submit(Operation& operation) override;
    void cancel(Operation& operation) override;
    void close(int fd) override;

    std::uint64_t hashed() const { return hashed_; }

private:
    struct Helper;
    void begin(Operation& operation);
    void finish(Helper& helper);

    std::size_t free_;
    const Duration hash_time_;
    std::deque<Operation*> waiting_;
    std::vector<std::unique_ptr<Helper>> busy_;
    std::uint64_t hashed_ = 0;
};

}  // namespace restante::sim
