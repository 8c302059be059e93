#pragma once
/// Requests carried out by plain system calls: what helper threads do.

#include <cstdint>

#include "ring/operation.h"

namespace restante {

/// Any request but those of the network and sleep; may block for long. Returns the result. `done`:
/// octets that a read or write has come to before. A write may do less than the rest (then the
/// octets that it did), or nothing where it would have to wait for a reader: -EAGAIN.
std::int64_t carry_out(const Request& request, std::size_t done = 0);

/// The same without waiting for a disk, where the kernel can tell: -EAGAIN when it would have to,
/// -EXDEV where a relative name leads to another mount.
std::int64_t carry_out_cached(const Request& request);

/// Whether an open file is on far storage (file_types.h). May block.
bool lies_far(int file);

}  // namespace restante
