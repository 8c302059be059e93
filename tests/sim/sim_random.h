#pragma once
/// The simulator's dice.

#include <cstdint>

#include "base/assert.h"

namespace restante::sim {

/// SplitMix64: the same seed gives the same numbers on every machine and library.
class SimRandom {
public:
    explicit SimRandom(std::uint64_t seed) : state_(seed) {}

    std::uint64_t next() {
        state_ += 0x9E3779B97F4A7C15u;
        std::uint64_t mixed = state_;
        mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9u;
        mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EBu;
        return mixed ^ (mixed >> 31);
    }
    /// 0 .. bound - 1; bound >= 1.
    std::uint64_t below(std::uint64_t bound) {
        ASSERT(bound >= 1);
        return next() % bound;
    }
    bool coin() { return (next() >> 63) != 0; }
    /// True with `probability` 0 (never) to 1 (always). Rolls nothing at 0.
    bool chance(double probability) {
        if (probability <= 0) return false;
        return static_cast<double>(next() >> 11) < probability * 9007199254740992.0;  // 2^53
    }

private:
    std::uint64_t state_;
};

}  // namespace restante::sim
