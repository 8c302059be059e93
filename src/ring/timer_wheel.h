#pragma once
/// Deadlines of operations in flight.

#include <array>
#include <cstdint>

#include "base/clock.h"
#include "ring/operation.h"

namespace restante {

/// A hashed timing wheel: add and remove are O(1), an operation is looked at once a round at most.
/// Deadlines are kept to a tick. Intrusive: owns no operation.
class TimerWheel {
public:
    static constexpr Duration tick = std::chrono::milliseconds(8);
    static constexpr std::size_t slots = 4096;  // a round is 33 s

    explicit TimerWheel(Instant start) : start_(start) {}

    /// `operation` has a deadline and is not in the wheel.
    void add(Operation& operation);
    /// No-op where it is not in the wheel.
    void remove(Operation& operation);
    /// Takes one whose deadline is at or before `now` out of the wheel; nullptr when there is none.
    Operation* pop_expired(Instant now);
    /// When pop_expired() has to be asked again, at the latest; `never` while the wheel is empty.
    /// May be earlier than any deadline, by rounds.
    Instant next_look() const;

private:
    std::uint64_t tick_at(Instant when) const;

    std::array<Operation*, slots> heads_{};
    std::array<std::uint64_t, slots / 64> occupied_{};
    Instant start_;
    std::uint64_t swept_ = 0;  // ticks before this one have been swept
    std::uint64_t count_ = 0;
};

}  // namespace restante
