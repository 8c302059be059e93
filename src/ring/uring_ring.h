#pragma once
/// Ring on Linux io_uring (kernel >= 5.15; better on >= 6.1).

#include <expected>
#include <memory>
#include <string>

#include "ring/helper_pool.h"
#include "ring/ring.h"

namespace restante {

struct UringOptions {
    /// False where the mail root lies on far storage (file_types.h). What was opened through the
    /// ring is known by itself, so one user's mount below a local root is far, and the others' mail
    /// is not. Of far files nothing is tried inline: all goes to helpers of their own.
    bool storage_is_local = true;
    /// What arrives in one turn from more connections than these costs a system call each. A power
    /// of two.
    unsigned receive_buffers = 128;
};

/// To be called on the thread that will use the ring (IORING_SETUP_SINGLE_ISSUER). `helpers`
/// outlives it. The error is a sentence for an operator that names the cause and the cure.
std::expected<std::unique_ptr<Ring>, std::string> make_uring_ring(HelperPool& helpers,
                                                                  UringOptions options);

}  // namespace restante
