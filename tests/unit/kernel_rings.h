#pragma once
/// The rings of the real kernel, for tests that must hold on each:
/// TEST_CASE_TEMPLATE("...", Kernel, OnUring, OnEpoll) { ...
/// Kernel::make(helpers) ... }

#include <doctest/doctest.h>

#include <cstdio>
#include <memory>
#include <string>
#include <utility>

#include "ring/epoll_ring.h"
#include "ring/uring_ring.h"

namespace restante {

struct OnEpoll {
    static std::unique_ptr<Ring> make(HelperPool& helpers, UringOptions options = {}) {
        auto made = make_epoll_ring(helpers, options.storage_is_local);
        REQUIRE(made.has_value());
        return std::move(*made);
    }
};

/// Empty, or why this machine has no io_uring: then that is said once.
inline const std::string& why_there_is_no_uring() {
    static const std::string refusal = [] {
        HelperPool helpers(default_helper_sizes());
        const auto made = make_uring_ring(helpers, {});
        if (made) return std::string();
        std::printf("skipped: kernel rings on io_uring: %s\n", made.error().c_str());
        return made.error();
    }();
    return refusal;
}

/// io_uring; where the machine refuses it, epoll again.
struct OnUring {
    static std::unique_ptr<Ring> make(HelperPool& helpers, UringOptions options = {}) {
        if (!why_there_is_no_uring().empty()) return OnEpoll::make(helpers, options);
        auto made = make_uring_ring(helpers, options);
        REQUIRE(made.has_value());
        return std::move(*made);
    }
};

}  // namespace restante
