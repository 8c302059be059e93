#pragma once
/// Which of the kernel's interfaces a reactor waits with.

#include <cstdint>
#include <expected>
#include <memory>
#include <string>

#include "ring/helper_pool.h"
#include "ring/ring.h"

namespace restante {

enum class RingBackend : std::uint8_t {
    automatic,  ///< io_uring; where that is refused, epoll
    uring,
    epoll,
};

struct ChosenRing {
    std::unique_ptr<Ring> ring;
    /// Of RingBackend::automatic: why it is not io_uring, a sentence for an operator with the cure.
    /// Empty where it is.
    std::string uring_refusal;
};

/// To be called on the thread that will use the ring. `helpers` outlives it; see UringOptions for
/// `storage_is_local`. The error is a sentence for an operator that names the cause and the cure.
std::expected<ChosenRing, std::string> make_ring(RingBackend backend, HelperPool& helpers,
                                                 bool storage_is_local);

}  // namespace restante
