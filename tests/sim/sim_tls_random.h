#pragma once
/// OpenSSL's randomness from a seed: keys, nonces and tickets, hence every length that depends on
/// them, are the same in each run.

#include <cstdint>

namespace restante::sim {

/// For the whole process, while it lives; one at a time.
class SimTlsRandom {
public:
    explicit SimTlsRandom(std::uint64_t seed);
    ~SimTlsRandom();
    SimTlsRandom(const SimTlsRandom&) = delete;
    SimTlsRandom& operator=(const SimTlsRandom&) = delete;
};

}  // namespace restante::sim
