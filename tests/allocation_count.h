#pragma once
/// What `new` has given out: allocation_count.cc takes the place of the library's for the whole
/// test program.

#include <cstddef>

namespace restante {

/// From its beginning on, of all threads.
class AllocationCount {
public:
    AllocationCount() : blocks_(all_blocks()), octets_(all_octets()) {}
    /// Blocks given out and not taken back.
    std::ptrdiff_t held() const { return all_blocks() - blocks_; }
    /// Octets asked for in those.
    std::ptrdiff_t octets() const { return all_octets() - octets_; }

private:
    static std::ptrdiff_t all_blocks();
    static std::ptrdiff_t all_octets();

    const std::ptrdiff_t blocks_;
    const std::ptrdiff_t octets_;
};

}  // namespace restante
