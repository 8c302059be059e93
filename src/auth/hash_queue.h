#pragma once
/// Logins that wait for their password to be hashed: who comes next, and who has waited too long.

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <unordered_map>
#include <utility>

#include "base/clock.h"
#include "ring/ring.h"
#include "ring/task.h"

namespace restante {

/// What is known of a login before its password is hashed (throttle.h); the first goes first.
enum class HashRank : std::uint8_t {
    known,        ///< this password was right some time ago
    with_token,   ///< its address had a token left
    over_budget,  ///< it had none
};
inline constexpr std::size_t hash_ranks = 3;
/// One hash in so many is of a lower rank where one waits: no attack stops the other logins.
inline constexpr std::uint32_t hashes_a_lower_turn = 4;
/// Works with the helpers, for each of them: one is hashed, one is ready when that is done.
inline constexpr std::size_t hashes_a_helper = 2;

struct HashTurn {
    HashRank rank;
    /// Whose (Throttle's key): within a rank the names take turns, so that a crowd which tries one
    /// name waits for itself.
    std::uint64_t user;
    Instant deadline = never;  ///< its turn comes by then or not at all
};

/// One a reactor, on its thread. Few works are with the helpers at a time; the others wait here,
/// where they can be put in order and given up. Each session waits for one at most: [limits]
/// connections bounds the queue.
class HashQueue {
public:
    struct Bounds {
        std::size_t in_flight_max;  ///< with the helpers, >= 1
        Duration wait_max;          ///< for a turn
    };
    HashQueue(Ring& ring, Bounds bounds) : ring_(ring), bounds_(bounds) {}
    HashQueue(const HashQueue&) = delete;
    HashQueue& operator=(const HashQueue&) = delete;
    ~HashQueue();  ///< nobody waits any more

    /// 0 once `work` has run on a helper. -ETIMEDOUT where it waited too long, -EAGAIN where the
    /// pool's queue is full: it was not run.
    Task<std::int64_t> run(Work& work, HashTurn turn);

    std::size_t waiting() const;

private:
    struct Waiting {
        Operation* sleep = nullptr;  // cancelled when its turn has come
        bool has_turn = false;
    };
    /// Round of a name, then order of arrival.
    using Place = std::pair<std::uint64_t, std::uint64_t>;
    /// Those of one rank.
    struct Line {
        std::map<Place, Waiting*> waiting;
        std::unordered_map<std::uint64_t, std::uint64_t> next_rounds;  // of names, if not past
        std::uint64_t round = 0;
        std::uint32_t passed_over = 0;
    };

    Task<bool> wait_for_turn(HashTurn turn);
    Place place_in(Line& line, std::uint64_t user);
    void let_next_in();
    Line* next_line();

    Ring& ring_;
    const Bounds bounds_;
    std::array<Line, hash_ranks> lines_;
    std::size_t in_flight_ = 0;
    std::uint64_t arrivals_ = 0;
};

}  // namespace restante
