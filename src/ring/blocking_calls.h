#pragma once
/// Requests carried out by plain system calls: what helper threads do.

#include <cstdint>

#include "ring/operation.h"

namespace restante {

/// Any request but those of the network and sleep; may block for long. Returns the
/// result.
std::int64_t carry_out(const Request& request);

/// The same without waiting for a disk, where the kernel can tell: -EAGAIN when it would have to,
/// -EXDEV where a relative name leads to another mount.
std::int64_t carry_out_cached(const Request& request);

/// Whether an open file is on far storage (file_types.h). May block.
bool lies_far(int file);

}  // namespace restante
