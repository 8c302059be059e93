#pragma once
/// How many there are of each at a time, over all reactors: connections of an address, sessions of
/// a user.

#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <utility>

namespace restante {

/// Any thread. Keys are Throttle's. As many entries as there are places taken, so the connections
/// bound it; none where no limit is asked for.
class Tally {
    struct Shard;
    struct Entry {
        Shard* shard;
        std::uint64_t key;
        std::uint32_t taken;
    };

public:
    /// Counts until its end, which comes before the Tally's. Move-only.
    class Place {
    public:
        Place() = default;  ///< of nothing
        Place(Place&& other) noexcept : entry_(std::exchange(other.entry_, nullptr)) {}
        Place& operator=(Place&& other) noexcept {
            std::swap(entry_, other.entry_);
            return *this;
        }
        ~Place() {
            if (entry_ != nullptr) leave(*entry_);
        }

    private:
        friend class Tally;
        explicit Place(Entry* entry) : entry_(entry) {}
        Entry* entry_ = nullptr;  // one pointer: every connection has a Place
    };

    Tally() = default;
    Tally(const Tally&) = delete;
    Tally& operator=(const Tally&) = delete;

    /// One more of `key`; empty where there are `most` already. `most` 0: no limit, not counted.
    std::optional<Place> take(std::uint64_t key, std::uint32_t most);

private:
    // Locked for a look-up; two reactors seldom meet in one.
    struct alignas(64) Shard {
        std::mutex mutex;
        std::unordered_map<std::uint64_t, Entry> entries;  // they stay where they are
    };
    static constexpr std::size_t shards = 64;
    Shard& shard_of(std::uint64_t key) { return shards_[key % shards]; }
    static void leave(Entry& entry);

    std::array<Shard, shards> shards_;
};

}  // namespace restante
