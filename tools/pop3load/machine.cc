#include "machine.h"

#include <fmt/format.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <fstream>
#include <string_view>

namespace pop3load {
namespace {

constexpr std::size_t cpuinfo_lines_max = 100;  // the first processor's; the others are the same

std::string processor_name() {
    std::ifstream file("/proc/cpuinfo");
    std::string line;
    for (std::size_t i = 0; i < cpuinfo_lines_max && std::getline(file, line); ++i) {
        const std::size_t colon = line.find(": ");
        if (line.starts_with("model name") && colon != std::string::npos)
            return line.substr(colon + 2);
    }
    return "unknown";
}

}  // namespace

Machine this_machine() {
    Machine machine;
    machine.processor = processor_name();
    const long processors = ::sysconf(_SC_NPROCESSORS_ONLN);
    const long pages = ::sysconf(_SC_PHYS_PAGES);
    const long page_octets = ::sysconf(_SC_PAGESIZE);
    if (processors > 0) machine.logical_processors = static_cast<std::uint32_t>(processors);
    if (pages > 0 && page_octets > 0)
        machine.memory_octets =
            static_cast<std::uint64_t>(pages) * static_cast<std::uint64_t>(page_octets);
    utsname names{};
    if (::uname(&names) == 0)
        machine.kernel = fmt::format("{} {} {}", names.sysname, names.release, names.machine);
    return machine;
}

}  // namespace pop3load
