#pragma once
/// Why io_uring is refused, for an operator.

#include <string>

namespace restante {

/// A sentence that names the cause and the cure. `error`: the errno of io_uring_setup(2).
std::string uring_refusal(int error);

}  // namespace restante
