#pragma once
/// What a ring may be asked for: an allow-list that the kernel enforces.

namespace restante {

/// Enables `ring`, a descriptor of io_uring_setup(2) with IORING_SETUP_R_DISABLED, for what
/// UringRing asks of it and nothing else: another opcode or flag completes with -EACCES, another
/// io_uring_register(2) fails with EACCES. For good. To be called by the thread that will submit
/// (IORING_SETUP_SINGLE_ISSUER). 0 or -errno; the ring is enabled only with 0.
int enable_restricted_ring(int ring);

}  // namespace restante
