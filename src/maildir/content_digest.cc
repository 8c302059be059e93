#include "maildir/content_digest.h"

#include "base/assert.h"

namespace restante {

static_assert(std::tuple_size_v<ContentHash> == SHA256_DIGEST_LENGTH);

ContentDigest::ContentDigest() { SHA256Init(&state_); }

void ContentDigest::feed(std::span<const char> octets) {
    SHA256Update(&state_, reinterpret_cast<const std::uint8_t*>(octets.data()), octets.size());
}

ContentHash ContentDigest::finish() {
    ContentHash hash;
    SHA256Final(hash.data(), &state_);
    return hash;
}

std::string hex_of(std::span<const std::uint8_t> hash, std::size_t octets) {
    static constexpr char digits[] = "0123456789abcdef";
    ASSERT(octets <= hash.size());
    std::string hex;
    hex.reserve(2 * octets);
    for (const std::uint8_t octet : hash.first(octets)) {
        hex += digits[octet >> 4];
        hex += digits[octet & 15];
    }
    return hex;
}

std::string content_unique_id(const ContentHash& hash, std::uint32_t ordinal) {
    std::string id(1, 'c');
    id += hex_of(hash, unique_id_hash_octets);
    if (ordinal == 0) return id;
    id += '-';
    id += std::to_string(ordinal);
    return id;
}

}  // namespace restante
