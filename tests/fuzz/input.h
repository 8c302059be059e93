#pragma once
/// An input taken apart: what decides how to test comes first, what is tested follows.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace restante::fuzz {

/// Reads from the front; past the end there are zeros.
class Input {
public:
    explicit Input(std::string_view octets) : rest_(octets) {}

    std::uint8_t octet() {
        if (rest_.empty()) return 0;
        const auto first = static_cast<std::uint8_t>(rest_.front());
        rest_.remove_prefix(1);
        return first;
    }
    std::uint64_t number() {
        std::uint64_t value = 0;
        for (int i = 0; i < 8; ++i) value = value << 8 | octet();
        return value;
    }
    /// Up to `separator`, which goes with it, or all that is left.
    std::string_view until(char separator) {
        const std::size_t end = std::min(rest_.find(separator), rest_.size());
        const std::string_view part = rest_.substr(0, end);
        rest_.remove_prefix(std::min(end + 1, rest_.size()));
        return part;
    }
    bool is_over() const { return rest_.empty(); }
    std::string_view rest() const { return rest_; }

private:
    std::string_view rest_;
};

/// Text in pieces, whose sizes follow from `seed` alone: 0 = one piece, 1 = octet by octet.
class Pieces {
public:
    Pieces(std::string_view text, std::uint8_t seed) : rest_(text), state_(seed) {}

    bool is_over() const { return rest_.empty(); }
    /// Not empty where there is one; at most `octets_max`.
    std::string_view next(std::size_t octets_max = SIZE_MAX) {
        const std::string_view piece = rest_.substr(0, std::min(size(), octets_max));
        rest_.remove_prefix(piece.size());
        return piece;
    }
    std::string_view rest() const { return rest_; }

private:
    std::size_t size() {
        if (state_ < 2) return state_ == 0 ? SIZE_MAX : 1;
        state_ = state_ * 6364136223846793005U + 1442695040888963407U;
        const std::uint64_t drawn = state_ >> 33U;
        return 1 + drawn % (drawn % 8 == 0 ? 4096 : 24);
    }

    std::string_view rest_;
    std::uint64_t state_;
};

}  // namespace restante::fuzz
