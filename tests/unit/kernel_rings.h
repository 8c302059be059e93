#pragma once
/// The rings of the real kernel, for tests that must hold on each:
/// TEST_CASE_TEMPLATE("...", Kernel, OnUring, OnEpoll) { ...
/// Kernel::make(helpers) ... }

#include <doctest/doctest.h>

#include <memory>
#include <utility>

#include "ring/epoll_ring.h"
#include "ring/uring_ring.h"

namespace restante {

struct OnUring {
    static std::unique_ptr<Ring> make(HelperPool& helpers, UringOptions options = {}) {
        auto made = make_uring_ring(helpers, options);
        REQUIRE(made.has_value());
        return std::move(*made);
    }
};

struct OnEpoll {
    static std::unique_ptr<Ring> make(HelperPool& helpers, UringOptions options = {}) {
        auto made = make_epoll_ring(helpers, options.storage_is_local);
        REQUIRE(made.has_value());
        return std::move(*made);
    }
};

}  // namespace restante
