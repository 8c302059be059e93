#pragma once
/// Seeded random numbers: the same seed gives the same run.

#include <cmath>
#include <cstdint>

namespace pop3load {

/// xoshiro256** (Blackman and Vigna, 2018), seeded by splitmix64.
class Random {
public:
    explicit Random(std::uint64_t seed) {
        for (std::uint64_t& word : state_) {
            seed += 0x9e3779b97f4a7c15;
            std::uint64_t mixed = (seed ^ (seed >> 30)) * 0xbf58476d1ce4e5b9;
            mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
            word = mixed ^ (mixed >> 31);
        }
    }
    std::uint64_t next() {
        const std::uint64_t result = rotated(state_[1] * 5, 7) * 9;
        const std::uint64_t shifted = state_[1] << 17;
        state_[2] ^= state_[0];
        state_[3] ^= state_[1];
        state_[1] ^= state_[2];
        state_[0] ^= state_[3];
        state_[2] ^= shifted;
        state_[3] = rotated(state_[3], 45);
        return result;
    }
    /// 0 to `after` - 1, `after` > 0 and far below 2^64, or some are likelier.
    std::uint64_t below(std::uint64_t after) { return next() % after; }
    /// 0 <= x < 1.
    double unit() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }
    /// Of mean `mean`.
    double exponential(double mean) { return -mean * std::log1p(-unit()); }

private:
    static std::uint64_t rotated(std::uint64_t word, int bits) {
        return (word << bits) | (word >> (64 - bits));
    }
    std::uint64_t state_[4];
};

}  // namespace pop3load
