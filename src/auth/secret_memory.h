#pragma once
/// What users and verified logins are kept in: pages that do not leave the process, and tags that
/// tell nothing without its key.

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string_view>

namespace restante {

/// `octets` of zeroed memory that are in no core dump and no child, whole pages of their own; those
/// that are not touched take no memory. nullptr, with errno, where there are none.
void* map_secret_pages(std::size_t octets);
/// Wipes them and gives them back; `pages` may be nullptr.
void unmap_secret_pages(void* pages, std::size_t octets);

/// BLAKE2b-256 under a random key. Lives in secret pages.
struct TagKey {
    using Tag = std::array<std::uint64_t, 4>;

    /// 0 or errno, of getrandom(2).
    int make();
    /// Of all `parts`, each with its length: "ab", "c" is not "a", "bc".
    Tag tag_of(std::initializer_list<std::string_view> parts) const;

    std::array<unsigned char, 32> octets;
};

}  // namespace restante
