#pragma once
/// The machine a run was made on, for its reports.

#include <cstdint>
#include <string>

namespace pop3load {

struct Machine {
    std::string processor;  ///< as /proc/cpuinfo names it; "unknown" where it does not
    std::uint32_t logical_processors = 0;
    std::uint64_t memory_octets = 0;
    std::string kernel;  ///< "Linux 6.1.0-18-amd64 x86_64"
};

/// Of this one: the generator's, and with it on loopback the server's. Nothing that names it.
Machine this_machine();

}  // namespace pop3load
