#include "base/descriptor_limit.h"

#include <sys/resource.h>

#include "base/assert.h"

namespace restante {
namespace {

rlimit present_limit() {
    rlimit limit{};
    const int got = ::getrlimit(RLIMIT_NOFILE, &limit);
    ASSERT(got == 0);
    return limit;
}

}  // namespace

std::uint64_t descriptor_limit() { return present_limit().rlim_cur; }

std::uint64_t raise_descriptor_limit() {
    rlimit limit = present_limit();
    const rlim_t before = limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max;
    // Refused where the hard limit is above fs.nr_open.
    return ::setrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : before;
}

}  // namespace restante
