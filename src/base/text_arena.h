#pragma once
/// Short strings that live together.

#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

#include "base/assert.h"

namespace restante {

/// Copies of strings at stable addresses, freed all at once.
class TextArena {
public:
    /// At most chunk_octets.
    std::string_view add(std::string_view text) {
        ASSERT(text.size() <= chunk_octets);
        if (text.size() > free_octets_) {
            chunks_.push_back(std::make_unique_for_overwrite<char[]>(chunk_octets));
            free_octets_ = chunk_octets;
        }
        char* const copy =
            chunks_.empty() ? nullptr : chunks_.back().get() + chunk_octets - free_octets_;
        if (!text.empty()) std::memcpy(copy, text.data(), text.size());
        free_octets_ -= text.size();
        return {copy, text.size()};
    }

    /// What it takes.
    std::size_t octets() const { return chunks_.size() * chunk_octets; }

    static constexpr std::size_t chunk_octets = 16 * 1024;

private:
    std::vector<std::unique_ptr<char[]>> chunks_;
    std::size_t free_octets_ = 0;
};

}  // namespace restante
