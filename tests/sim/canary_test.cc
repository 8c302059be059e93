// The canary build: servers with one planted bug of each kind. Each must be caught, by the check
// that is there for it.
#include <doctest/doctest.h>

#include <algorithm>

#include "sim/canary.h"
#include "sim/seed_hunt.h"

namespace restante::sim {
namespace {

/// Post offices in which a bug has to show. Most do in the first; the rarest, which needs another
/// program's removal and a crash soon after, in one of 90.
constexpr std::uint64_t seeds_max = 600;

std::optional<Verdicts::Failure> hunt(const CanaryRow& row) {
    const OfficeRunner runner = [&row](const Scenario& scenario) {
        return run_post_office(scenario, seams_of(row.canary));
    };
    for (std::uint64_t seed = 1; seed <= seeds_max; ++seed) {
        Scenario scenario = Scenario::of_seed(seed);
        if (row.is_quiet) scenario.trouble = {};
        HuntedResult result = run_in_child(scenario, runner);
        if (result.failure) return std::move(result.failure);
    }
    return std::nullopt;
}

}  // namespace

TEST_CASE("canary: a planted bug of each kind is caught, by the check that is there for it") {
    for (const CanaryRow& row : all_canaries()) {
        const std::optional<Verdicts::Failure> caught = hunt(row);
        INFO("a server that " << row.name);
        REQUIRE_MESSAGE(caught.has_value(), "was not caught");
        const bool is_expected = std::ranges::count(row.caught_by, caught->invariant) > 0;
        CHECK_MESSAGE(is_expected,
                      "was caught by: " << name_of(caught->invariant) << ", " << caught->what);
    }
}

TEST_CASE("canary: each invariant has a bug that no other one catches") {
    for (std::size_t at = 0; at < invariants; ++at) {
        const auto invariant = static_cast<Invariant>(at);
        const auto is_its_own = [invariant](const CanaryRow& row) {
            return row.caught_by == std::vector{invariant};
        };
        CHECK_MESSAGE(std::ranges::any_of(all_canaries(), is_its_own), name_of(invariant));
    }
}

TEST_CASE("canary: without a bug the wrappers change nothing") {
    const OfficeRunner runner = [](const Scenario& scenario) {
        Seams seams;
        seams.ring = [](SimRing& ring) { return make_canary_ring(ring, Canary::none); };
        seams.store = [](World& world, std::unique_ptr<Store> store) {
            return make_canary_store(world, std::move(store), Canary::none);
        };
        seams.delivery = [](World& world, std::unique_ptr<Delivery> delivery) {
            return make_canary_delivery(world, std::move(delivery), Canary::none);
        };
        seams.verifier = [](World&, Verifier& verifier) {
            return make_canary_verifier(verifier, Canary::none);
        };
        return run_post_office(scenario, seams);
    };
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
        const HuntedResult result = run_in_child(Scenario::of_seed(seed), runner);
        CHECK_MESSAGE(!result.failure, result.failure->what);
    }
}

TEST_CASE("canary: what fails is minimised, and fails again as its replay command says") {
    const OfficeRunner runner = [](const Scenario& scenario) {
        return run_post_office(scenario, seams_of(Canary::keeps_marked));
    };
    Scenario scenario = Scenario::of_seed(1);
    while (!run_in_child(scenario, runner).failure) scenario = Scenario::of_seed(scenario.seed + 1);
    const std::optional<Minimised> smallest = minimise(scenario, runner);
    REQUIRE(smallest.has_value());
    CHECK(smallest->failure.invariant == Invariant::removals_are_final);
    CHECK(smallest->scenario.users == 1);
    CHECK(smallest->scenario.clients == 1);
    CHECK(smallest->scenario.steps < 200);
    CHECK(smallest->scenario.trouble.text() == "none");
    const HuntedResult again = run_in_child(smallest->scenario, runner);
    REQUIRE(again.failure.has_value());
    CHECK(again.failure->what == smallest->failure.what);
}

}  // namespace restante::sim
