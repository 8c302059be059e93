#pragma once
/// Ring on Linux epoll(7) and plain system calls: for machines that refuse io_uring.

#include <expected>
#include <memory>
#include <string>

#include "ring/helper_pool.h"
#include "ring/ring.h"

namespace restante {

/// As UringRing, but that reads which are not answered from the page cache and log lines go to
/// helpers, that zero-copy sends copy, and that FileSending::uring_splice is sendfile. See
/// UringOptions for `storage_is_local`. `helpers` outlives it. The error is a sentence for an
/// operator.
std::expected<std::unique_ptr<Ring>, std::string> make_epoll_ring(HelperPool& helpers,
                                                                  bool storage_is_local);

}  // namespace restante
