#pragma once
/// What a process dies of in tests: a Ring that ends it at one moment of its work.

#include <csignal>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "ring/ring.h"

namespace restante {

/// Before or after one operation, which is the n-th of its kind, from 1, in the order in which they
/// are asked for; those that are answered inline count too. (Of all kinds together the n-th would
/// not be the same one in each run: the log writes when it can.)
struct Ending {
    /// `before remove 1 KILL`, `after open 3 STOP`: STOP leaves what is under way to the kernel,
    /// and the process as it is, for whoever wants to cut the power. Nothing: it is no ending.
    static std::optional<Ending> parse(std::string_view text);

    bool is_after;
    Request::Kind kind;
    std::uint64_t number;
    int signal;
};

/// Does what `ring` does until `ending`; then it says so in a line on stderr and the process gets
/// its signal. "After" is once the result is there and nobody has seen it.
std::unique_ptr<Ring> make_ending_ring(std::unique_ptr<Ring> ring, const Ending& ending);

}  // namespace restante
