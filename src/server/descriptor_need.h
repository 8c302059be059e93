#pragma once
/// How many descriptors a server needs.

#include <algorithm>
#include <cstdint>

namespace restante {

/// Beside those of sessions: rings, listeners, logs, folders being listed.
inline constexpr std::uint64_t spare_descriptors = 256;
inline constexpr std::uint64_t descriptors_a_session = 2;  // socket and maildrop

constexpr std::uint64_t descriptors_for(std::uint64_t sessions) {
    return sessions * descriptors_a_session + spare_descriptors;
}

/// How many sessions fit a limit of open files.
constexpr std::uint64_t sessions_within(std::uint64_t descriptors) {
    return (descriptors - std::min(descriptors, spare_descriptors)) / descriptors_a_session;
}

/// New connections get descriptors below this only: with the others those who are in open maildrops
/// and messages. (The kernel gives the lowest that is free, so its number tells how many are left.)
constexpr std::uint64_t first_spare_descriptor(std::uint64_t descriptors) {
    return descriptors - std::min(descriptors / 4, spare_descriptors);
}

}  // namespace restante
