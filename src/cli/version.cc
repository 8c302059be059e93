/// `restante version`: what this program is and what it runs on.

#include <sys/utsname.h>

#include <cstdio>

#include "base/version.h"
#include "cli/commands.h"

namespace restante {
int print_version() {
    utsname machine{};
    const bool is_known = ::uname(&machine) == 0;
    std::printf("restante %.*s\n", static_cast<int>(version.size()), version.data());
    std::printf("compiled by %s %s\n", "g++", __VERSION__);
    std::printf("kernel interfaces io_uring and epoll, on %s %s %s\n",
                is_known ? machine.sysname : "unknown", machine.release, machine.machine);
    return exit_ok;
}

}  // namespace restante
