#pragma once
/// Short strings that live together.

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

namespace restante {

/// Copies of strings at stable addresses, freed all at once.
class TextArena {
public:
    std::string_view add(std::string_view text) {
        if (text.empty()) return {};
        if (text.size() > free_octets_) add_chunk(text.size());
        char* const copy = chunks_.back().get() + chunk_octets_ - free_octets_;
        std::memcpy(copy, text.data(), text.size());
        free_octets_ -= text.size();
        return {copy, text.size()};
    }

    /// What it takes.
    std::size_t octets() const { return octets_; }

private:
    /// Each twice the one before, from some strings up to four pages.
    static constexpr std::size_t first_chunk_octets = 512;
    static constexpr std::size_t chunk_octets_max = 16 * 1024;

    void add_chunk(std::size_t octets_min) {
        const std::size_t next =
            std::clamp(2 * chunk_octets_, first_chunk_octets, chunk_octets_max);
        chunk_octets_ = std::max(next, octets_min);
        chunks_.push_back(std::make_unique_for_overwrite<char[]>(chunk_octets_));
        free_octets_ = chunk_octets_;
        octets_ += chunk_octets_;
    }

    std::vector<std::unique_ptr<char[]>> chunks_;
    std::size_t chunk_octets_ = 0;  // of the last
    std::size_t free_octets_ = 0;   // in it
    std::size_t octets_ = 0;        // of all
};

}  // namespace restante
