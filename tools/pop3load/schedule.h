#pragma once
/// Which sessions begin when, and as whom: drawn from the seed alone, so that a run can be played
/// again. The threads share the sessions out; all of them together are the same for any number of
/// threads.

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/clock.h"
#include "options.h"
#include "random.h"

namespace pop3load {

/// specmail2001 has two pools of users: those who get mail, and those who look in vain. The others
/// have the first only.
inline constexpr std::size_t pools = 2;
using PoolCounts = std::array<std::size_t, pools>;
PoolCounts pool_counts(std::size_t users, bool is_specmail);

/// One of `threads`: it has the users whose place in their pool leaves the remainder `index`.
struct Part {
    std::uint32_t index = 0;
    std::uint32_t threads = 1;
};

/// A session that is meant to begin.
struct Arrival {
    restante::Instant intended;
    std::uint64_t number = 0;  ///< of the run, from 0
    std::uint32_t pool = 0;
    std::uint32_t place = 0;  ///< for Turn::take()
};

/// The arrivals of one thread in the open model.
class Schedule {
public:
    struct Plan {
        std::uint64_t seed = 1;
        double rate = 0;  ///< sessions a second, of all threads
        Arrivals kind = Arrivals::poisson;
        restante::Instant start;
        PoolCounts users{};  ///< of all threads; none empty that is used
        bool is_specmail = false;
        Part part;
    };
    explicit Schedule(const Plan& plan);
    /// The one that comes next; there is always one.
    const Arrival& next() const { return next_; }
    void advance();

private:
    void draw();
    bool is_own() const;

    Plan plan_;
    Random random_;
    Arrival next_;
    std::uint64_t place_ = 0;  // of next_, in the whole pool
    PoolCounts drawn_{};       // arrivals
};

/// One thread's users of one pool, in a random order: each has one session at a time.
class Turn {
public:
    Turn() = default;
    /// `users` of the run, the first of them number `first`.
    Turn(std::uint64_t seed, std::uint32_t first, std::size_t users, Part part);

    bool has_free() const { return free_ > 0; }
    struct Taken {
        std::uint32_t user = 0;
        std::uint32_t place = 0;  ///< to give back
    };
    /// Who has this place, or the next after it who is free: has_free().
    Taken take(std::size_t place);
    /// The next after who was taken last.
    Taken take_next() { return take(next_); }
    void give_back(std::uint32_t place);

private:
    std::vector<std::uint32_t> users_;
    std::vector<char> is_free_;
    std::size_t free_ = 0;
    std::size_t next_ = 0;
};

}  // namespace pop3load
