#pragma once
/// Hashes that stand for a message where its name cannot: of names that are no unique-id, and of
/// contents.

#include <sha256.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace restante {

/// SHA-256.
using ContentHash = std::array<std::uint8_t, 32>;

/// Octets of a hash that a unique-id shows, two hex digits each.
inline constexpr std::size_t unique_id_hash_octets = 16;

/// SHA-256 of octets given in any pieces.
class ContentDigest {
public:
    ContentDigest();
    void feed(std::span<const char> octets);
    /// Once, last.
    ContentHash finish();

private:
    SHA2_CTX state_;
};

/// Lower-case hex of the first `octets` octets.
std::string hex_of(std::span<const std::uint8_t> hash, std::size_t octets);

/// The unique-id of a message whose own id another message has: 'c' and 32 hex digits of its stored
/// octets' hash; "-<ordinal>" follows when `ordinal` is not 0 (the same content occurs several
/// times).
std::string content_unique_id(const ContentHash& hash, std::uint32_t ordinal);

}  // namespace restante
