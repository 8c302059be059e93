#include "auth/hash_queue.h"

#include <algorithm>
#include <cerrno>
#include <numeric>

#include "base/assert.h"

namespace restante {

HashQueue::~HashQueue() {
    ASSERT(waiting() == 0);
    ASSERT(in_flight_ == 0);
}

std::size_t HashQueue::waiting() const {
    return std::accumulate(
        lines_.begin(), lines_.end(), std::size_t{0},
        [](std::size_t sum, const Line& line) { return sum + line.waiting.size(); });
}

Task<std::int64_t> HashQueue::run(Work& work, HashTurn turn) {
    if (in_flight_ < bounds_.in_flight_max) {  // then nobody waits
        ++in_flight_;
    } else {
        const bool has_turn = co_await wait_for_turn(turn);
        if (!has_turn) co_return -ETIMEDOUT;
    }
    const std::int64_t ran = co_await perform(ring_, Request::offload(HelperKind::hashing, work));
    --in_flight_;
    let_next_in();
    co_return ran;
}

/// True: it is counted in in_flight_.
Task<bool> HashQueue::wait_for_turn(HashTurn turn) {
    Line& line = lines_[static_cast<std::size_t>(turn.rank)];
    const Place place = place_in(line, turn.user);
    Waiting waiting;
    line.waiting.emplace(place, &waiting);
    const Instant latest = std::min(turn.deadline, ring_.now() + bounds_.wait_max);
    co_await perform(ring_, Request::sleep().until(latest), waiting.sleep);
    if (!waiting.has_turn) line.waiting.erase(place);  // else it was taken out
    co_return waiting.has_turn;
}

/// Start-time fair queueing: a name that waits already comes a round later. New ones join the round
/// after the one that is served, or a stream of them would keep that one from ending.
HashQueue::Place HashQueue::place_in(Line& line, std::uint64_t user) {
    std::uint64_t& next_round = line.next_rounds[user];
    const std::uint64_t round = std::max(line.round + 1, next_round);
    next_round = round + 1;
    return {round, ++arrivals_};
}

void HashQueue::let_next_in() {
    Line* line = next_line();
    if (line == nullptr) return;
    const auto next = line->waiting.begin();
    const std::uint64_t round = next->first.first;
    Waiting& waiting = *next->second;
    line->waiting.erase(next);
    if (round > line->round || line->waiting.empty()) {
        line->round = round;
        std::erase_if(line->next_rounds,
                      [round](const auto& name) { return name.second <= round + 1; });
    }
    ++in_flight_;
    waiting.has_turn = true;
    if (waiting.sleep != nullptr) ring_.cancel(*waiting.sleep);
}

/// Null: nobody waits.
HashQueue::Line* HashQueue::next_line() {
    Line* first = nullptr;
    for (Line& line : lines_) {
        if (line.waiting.empty()) continue;
        if (first == nullptr) {
            first = &line;
        } else if (++line.passed_over >= hashes_a_lower_turn) {
            first = &line;
            break;
        }
    }
    if (first != nullptr) first->passed_over = 0;
    return first;
}

}  // namespace restante
