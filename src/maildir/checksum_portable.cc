#include <xxhash.h>

#include "maildir/checksum.h"

namespace restante {

std::uint64_t checksum64(std::span<const char> octets) {
    return XXH3_64bits(octets.data(), octets.size());
}

}  // namespace restante
