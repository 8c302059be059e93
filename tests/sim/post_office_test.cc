// Whole post offices in the simulator, one from each seed: what must hold of them is in
// invariant.h. RESTANTE_SIM_SEEDS: how many; RESTANTE_SIM_FIRST_SEED: from which on;
// RESTANTE_SIM_SEED: that one only, as its scenario or as RESTANTE_SIM_USERS, _CLIENTS, _STEPS and
// _TROUBLE say; RESTANTE_SIM_MINIMISE: and the smallest that fails like it.
#include <doctest/doctest.h>

#include <cstdlib>

#include "sim/seed_hunt.h"

namespace restante::sim {
namespace {

constexpr std::uint64_t seeds_default = 200;

std::string report(const Scenario& scenario, const Verdicts::Failure& failure) {
    return "broken: " + std::string(name_of(failure.invariant)) + "\n" + failure.what +
           "\nreplay: " + replay_command(scenario) + "\n";
}

/// "" where it does not fail in a process of its own.
std::string minimised(const Scenario& scenario) {
    const std::optional<Minimised> smallest = minimise(scenario);
    if (!smallest) return "";
    return "minimised:\n" + report(smallest->scenario, smallest->failure);
}

/// What is made once and kept (by libraries, at the first use) is no leak: it is not made again.
OfficeResult run(const Scenario& scenario) {
    const CrashWatch watch(scenario);
    OfficeResult result = run_post_office(scenario);
    if (!result.failure || result.failure->invariant != Invariant::memory_returned) return result;
    return run_post_office(scenario);
}

/// "" = nothing is wrong.
std::string explore(const Scenario& scenario) {
    if (std::getenv("RESTANTE_SIM_MINIMISE") != nullptr) {
        const std::string smallest = minimised(scenario);
        return smallest.empty() ? "it failed, but does not in a process of its own" : smallest;
    }
    const OfficeResult result = run(scenario);
    if (!result.failure) return "";
    const bool is_replay = std::getenv("RESTANTE_SIM_TROUBLE") != nullptr;
    return report(scenario, *result.failure) + (is_replay ? "" : minimised(scenario)) +
           "the server's log:\n" + result.log;
}

Scenario with_tls(std::uint64_t seed) {
    Scenario scenario = Scenario::of_seed(seed);
    scenario.trouble.set(Trouble::tls, true);
    scenario.trouble.set(Trouble::attackers, true);
    return scenario;
}

bool is_much(const Deeds& deeds) {
    return deeds.logins > 100 && deeds.fetched > 100 && deeds.removed > 20 && deeds.refused > 20 &&
           deeds.broken > 10 && deeds.crashes > 5;
}

}  // namespace

TEST_CASE("post office: enough happens in ten of them for the rest to mean something") {
    Deeds deeds;
    for (std::uint64_t seed = 1; seed <= 10; ++seed)
        deeds += run_post_office(Scenario::of_seed(seed)).deeds;
    CHECK(is_much(deeds));
}

TEST_CASE("post office: some are under TLS, resume sessions, and are attacked") {
    Deeds deeds;
    for (std::uint64_t seed = 1; seed <= 3; ++seed) deeds += run_post_office(with_tls(seed)).deeds;
    CHECK(deeds.secured > 30);
    CHECK(deeds.resumed > 2);
    CHECK(deeds.attacked > 5);
}

TEST_CASE("post office: the same scenario gives the same run") {
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
        const Scenario scenario = seed > 3 ? with_tls(seed) : Scenario::of_seed(seed);
        CHECK(run_post_office(scenario).trace_hash == run_post_office(scenario).trace_hash);
    }
}

TEST_CASE("post office: hundreds of users, any trouble, and every invariant") {
    std::uint64_t first = environment_number("RESTANTE_SIM_FIRST_SEED", 1);
    std::uint64_t count = environment_number("RESTANTE_SIM_SEEDS", seeds_default);
    if (std::getenv("RESTANTE_SIM_SEED") != nullptr) {
        first = environment_number("RESTANTE_SIM_SEED", 1);
        count = 1;
    }
    for (std::uint64_t seed = first; seed < first + count; ++seed) {
        Scenario scenario = Scenario::of_seed(seed);
        scenario.obey_environment();
        const std::string failure = explore(scenario);
        REQUIRE_MESSAGE(failure.empty(), failure);
    }
}

}  // namespace restante::sim
