#pragma once
/// From strings to positions in somebody's array of them; the strings stay there.

#include <xxhash.h>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/assert.h"

namespace restante {

/// Open addressing, 8 octets a slot, at most half full. A position found is a candidate only: 32
/// bits of the hash agree, and the caller compares the string itself.
class NameTable {
public:
    /// For at most `positions_max` insertions.
    explicit NameTable(std::size_t positions_max)
        : slots_(std::bit_ceil(2 * positions_max + 1)), room_(positions_max) {}

    static std::uint64_t hash(std::string_view name) {
        return XXH3_64bits(name.data(), name.size());
    }

    void insert(std::uint64_t hash, std::uint32_t position) {
        ASSERT(room_ > 0);
        --room_;
        std::size_t at = hash & (slots_.size() - 1);
        while (slots_[at].position_plus_one != 0) at = (at + 1) & (slots_.size() - 1);
        slots_[at] = {tag(hash), position + 1};
    }

    /// Calls is_found(position) for the candidates in the order of insertion until it returns true.
    template <class IsFound>
    void visit(std::uint64_t hash, IsFound is_found) const {
        for (std::size_t at = hash & (slots_.size() - 1); slots_[at].position_plus_one != 0;
             at = (at + 1) & (slots_.size() - 1)) {
            if (slots_[at].tag != tag(hash)) continue;
            if (is_found(slots_[at].position_plus_one - 1)) return;
        }
    }

private:
    struct Slot {
        std::uint32_t tag = 0;
        std::uint32_t position_plus_one = 0;  // 0: empty
    };
    static std::uint32_t tag(std::uint64_t hash) { return static_cast<std::uint32_t>(hash >> 32); }

    std::vector<Slot> slots_;
    std::size_t room_;
};

}  // namespace restante
