#pragma once
/// Memory that the indexes of maildrops have together, of all reactors: of those that are open, and
/// what is needed beside them while one is made or its messages are removed. A maildrop of a
/// million messages takes a GiB while it is listed anew, so the number of sessions bounds nothing.

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <utility>

#include "base/clock.h"
#include "base/result.h"
#include "ring/ring.h"
#include "ring/task.h"

namespace restante {

/// Unless the configuration says otherwise ([limits] index_memory).
inline constexpr std::uint64_t index_memory_octets_default = std::uint64_t{4} << 30;
/// Of a message while its index is made: its row, name and ids in the old one and in the new one,
/// which is put together from pieces; its name as listed; what measuring found. Names are of 64
/// octets at most there, others are counted beside it.
inline constexpr std::uint64_t making_octets_a_message = 1024;
/// How often an octet of a name or of another server's list is held meanwhile, at most.
inline constexpr std::uint64_t making_copies_max = 6;
/// Of a marked message while it is removed: what is asked for, twice where it has been renamed.
inline constexpr std::uint64_t removing_octets_a_message = 512;
/// Of a message that is listed again, since another program has renamed some.
inline constexpr std::uint64_t listing_octets_a_message = 256;
/// How long a session waits for its share; then the login, or the removal, is refused.
inline constexpr Duration index_memory_wait_max = std::chrono::seconds(10);
inline constexpr Duration index_memory_look_interval = std::chrono::milliseconds(20);

/// Any thread; outlives its shares.
class IndexMemory {
public:
    explicit IndexMemory(std::uint64_t octets_max = index_memory_octets_default)
        : octets_max_(octets_max) {}
    IndexMemory(const IndexMemory&) = delete;
    IndexMemory& operator=(const IndexMemory&) = delete;

    /// A part of it, given back at its end. Move-only.
    class Share {
    public:
        explicit Share(IndexMemory& memory) : memory_(&memory) {}
        Share(Share&& other) noexcept
            : memory_(other.memory_), octets_(std::exchange(other.octets_, 0)) {}
        Share& operator=(Share&&) = delete;
        ~Share() { resize(0); }

        const IndexMemory& memory() const { return *memory_; }
        std::uint64_t octets() const { return octets_; }
        /// False, and nothing changes: there is no room for so much.
        bool resize(std::uint64_t octets) {
            if (octets > octets_ && !memory_->take(octets - octets_)) return false;
            if (octets < octets_) memory_->taken_ -= octets_ - octets;
            octets_ = octets;
            return true;
        }
        /// The same, whether there is room or not: what a session that is in needs is not refused
        /// because of others, and soon given back. Who wants to be let in waits the longer.
        void exceed(std::uint64_t octets) {
            memory_->taken_ += octets;
            memory_->taken_ -= octets_;
            octets_ = octets;
        }

    private:
        IndexMemory* memory_;
        std::uint64_t octets_ = 0;
    };

    std::uint64_t octets_max() const { return octets_max_; }
    std::uint64_t taken() const { return taken_; }

private:
    bool take(std::uint64_t octets) {
        std::uint64_t taken = taken_;
        do {
            if (octets > octets_max_ - std::min(taken, octets_max_)) return false;
        } while (!taken_.compare_exchange_weak(taken, taken + octets));
        return true;
    }

    const std::uint64_t octets_max_;
    std::atomic<std::uint64_t> taken_ = 0;
};

/// Makes `share` of `octets`, once there is room; exhausted where there is none for
/// index_memory_wait_max, or `octets` are more than all of it. No queue: who wants little gets it
/// first. Nothing ends the wait before its time.
Task<Result<void>> await_share(Ring& ring, IndexMemory::Share& share, std::uint64_t octets);

}  // namespace restante
