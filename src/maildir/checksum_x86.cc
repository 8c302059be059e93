#include <xxhash.h>

#include <xxh_x86dispatch.h>  // after xxhash.h: makes XXH3_64bits() one that asks the processor

#include "maildir/checksum.h"

namespace restante {

std::uint64_t checksum64(std::span<const char> octets) {
    return XXH3_64bits(octets.data(), octets.size());
}

}  // namespace restante
