#pragma once
/// Runs post offices, many of them, and makes of one that fails the smallest that still does.

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "sim/post_office.h"

namespace restante::sim {

/// How a post office ended that was run in a process of its own, where an assertion or a signal
/// ends nothing else.
struct HuntedResult {
    std::optional<Verdicts::Failure> failure;
    std::uint32_t steps = 0;
};
/// `runner` runs in the child only; nullptr: run_post_office() without seams.
using OfficeRunner = std::function<OfficeResult(const Scenario&)>;
HuntedResult run_in_child(const Scenario& scenario, const OfficeRunner& runner = nullptr);

/// The smallest scenario found that fails the same invariant: fewer steps, troubles, users,
/// clients, perhaps of another seed. Tries 1,500 at most, within a minute.
struct Minimised {
    Scenario scenario;
    Verdicts::Failure failure;
};
std::optional<Minimised> minimise(const Scenario& scenario, const OfficeRunner& runner = nullptr);

/// What runs `scenario` again: environment and test program.
std::string replay_command(const Scenario& scenario);

/// In which environment a CrashWatch executes this program anew: with what sanitizers were told.
std::vector<std::string> environment_anew(const Scenario& scenario);

/// While it lives, a failed ASSERT, a signal, or a minute without an end executes this program
/// anew, to minimise the scenario and tell how to replay it: the run cannot go on.
class CrashWatch {
public:
    explicit CrashWatch(const Scenario& scenario);
    ~CrashWatch();
    CrashWatch(const CrashWatch&) = delete;
    CrashWatch& operator=(const CrashWatch&) = delete;
};

}  // namespace restante::sim
