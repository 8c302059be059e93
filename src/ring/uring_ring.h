#pragma once
/// Ring on Linux io_uring (kernel >= 5.15; better on >= 6.1).

#include <expected>
#include <memory>
#include <string>

#include "ring/helper_pool.h"
#include "ring/ring.h"

namespace restante {

struct UringOptions {
    /// False where maildrops lie on a file system that may block for long (NFS, FUSE): nothing of
    /// files is tried inline then, everything goes to the helper pool.
    bool storage_is_local = true;
};

/// To be called on the thread that will use the ring (IORING_SETUP_SINGLE_ISSUER). `helpers`
/// outlives it. The error is a sentence for an operator that names the cause and the cure.
std::expected<std::unique_ptr<Ring>, std::string> make_uring_ring(HelperPool& helpers,
                                                                  UringOptions options);

}  // namespace restante
