#pragma once
/// The checks of `restante doctor`.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "server/config.h"
#include "server/memory_bound.h"

namespace restante {

enum class Verdict : std::uint8_t {
    ok,
    warn,  ///< a server would start and serve, less well or less safely
    fail,  ///< it would not start, or nobody could log in
};

struct Finding {
    Verdict verdict = Verdict::ok;
    std::string what;
    std::string cure = {};               ///< "" where there is nothing to do
    std::vector<MemoryTerm> terms = {};  ///< what memory is a sum of; of one check only
};

/// What the checks have in common.
struct Patient {
    const Config& config;
    std::string own_maildrops = {};  ///< PasswdTable's, once the user database was read
    std::uint64_t users = 0;         ///< likewise
};

/// One line of the report.
struct DoctorCheck {
    std::string_view name;
    Finding (*examine)(Patient& patient);
};

/// In the order in which they are to be run, which is that of a server's start: from the check
/// "user" on the process is no longer root, and after the last one it is confined. Each once.
std::span<const DoctorCheck> doctor_checks();

}  // namespace restante
