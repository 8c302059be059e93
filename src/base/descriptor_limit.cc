#include "base/descriptor_limit.h"

#include <sys/resource.h>

#include "base/assert.h"

namespace restante {

std::uint64_t raise_descriptor_limit() {
    rlimit limit{};
    const int got = ::getrlimit(RLIMIT_NOFILE, &limit);
    ASSERT(got == 0);
    const rlim_t before = limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max;
    // Refused where the hard limit is above fs.nr_open.
    return ::setrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : before;
}

}  // namespace restante
