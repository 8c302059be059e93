#pragma once
/// Plain digests, and comparisons whose time tells nothing.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace restante {

enum class DigestAlgorithm : std::uint8_t { md5, sha1, sha256, sha512 };

/// Octets of the algorithm's result.
std::size_t digest_octets(DigestAlgorithm algorithm);

struct Digest {
    std::array<unsigned char, 64> octets{};
    std::size_t size = 0;

    std::string_view view() const { return {reinterpret_cast<const char*>(octets.data()), size}; }
};

/// Of `first` followed by `second`. Empty where the system's cryptography refuses the algorithm
/// (FIPS mode and MD5) or is out of memory.
std::optional<Digest> digest_of(DigestAlgorithm algorithm, std::string_view first,
                                std::string_view second);

/// Time depends on presented.size() only.
bool equal_in_constant_time(std::string_view presented, std::string_view stored);

/// Lower case.
std::string hex_encode(std::string_view octets);
/// Either case; empty for an odd length or another octet.
std::optional<std::string> hex_decode(std::string_view text);

}  // namespace restante
