#pragma once
/// What `new` has given out: allocation_count.cc takes the place of the library's for the whole
/// test program.

#include <cstddef>

namespace restante {

/// From its beginning on, of all threads.
class AllocationCount {
public:
    AllocationCount() : blocks_(all_blocks()), octets_(all_octets()), given_(all_given()) {}
    /// Blocks given out and not taken back.
    std::ptrdiff_t held() const { return all_blocks() - blocks_; }
    /// Octets asked for in those.
    std::ptrdiff_t octets() const { return all_octets() - octets_; }
    /// Blocks given out, taken back or not.
    std::ptrdiff_t given() const { return all_given() - given_; }

private:
    static std::ptrdiff_t all_blocks();
    static std::ptrdiff_t all_octets();
    static std::ptrdiff_t all_given();

    const std::ptrdiff_t blocks_;
    const std::ptrdiff_t octets_;
    const std::ptrdiff_t given_;
};

}  // namespace restante
