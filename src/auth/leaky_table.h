#pragma once
/// Counters that leak, by key: a fixed number of them, shared by all threads without a lock.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>

#include "base/clock.h"

namespace restante {

/// Each key has a bucket; drops are added, and one leaks out every `leak`. Keys are strong hashes
/// under a secret: nobody can choose whose bucket his own lies beside.
///
/// A bucket is one word, the instant at which it will be empty, so adding is one exchange and
/// forgetting is done by time alone. Where the places of a key are all taken, the bucket that will
/// be empty first gives way: to push a full bucket out, fuller ones are needed in all its places.
/// With `inherits` the one that comes starts with the drops of the one that went (the
/// "space-saving" count): then no flood of keys makes anybody's count smaller, only others' larger.
class LeakyTable {
public:
    struct Shape {
        Duration leak;       ///< >= 1 ms
        std::uint32_t most;  ///< drops a bucket holds; what is more runs over
        bool inherits;
    };
    /// Buckets; 8 octets each, of which only those used are touched.
    static constexpr std::size_t buckets = std::size_t{1} << 18;
    /// Places that one key may have: a cache line.
    static constexpr std::size_t ways = 8;

    explicit LeakyTable(const Shape& shape);

    /// Drops in the bucket, the one that is leaking counted whole.
    std::uint32_t level(std::uint64_t key, Instant now) const;
    /// Adds a drop; how many were there before.
    std::uint32_t add(std::uint64_t key, Instant now);
    /// Takes a drop out, where the key has still one.
    void take_back(std::uint64_t key, Instant now);

private:
    struct Free {
        void operator()(void* memory) const { std::free(memory); }
    };
    std::uint64_t* places_of(std::uint64_t key) const;
    std::uint32_t drops(std::uint64_t empty_at, std::uint64_t now) const;

    const std::uint64_t leak_ms_;
    const std::uint32_t most_;
    const bool inherits_;
    std::unique_ptr<std::uint64_t[], Free> words_;
};

}  // namespace restante
