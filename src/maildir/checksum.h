#pragma once
/// The checksum of index files. Two implementations, of which the build takes one: checksum_x86.cc
/// uses the vector instructions the processor has (three to eight times as fast),
/// checksum_portable.cc those every processor has. Same values.

#include <cstdint>
#include <span>

namespace restante {

/// XXH3-64.
std::uint64_t checksum64(std::span<const char> octets);

}  // namespace restante
