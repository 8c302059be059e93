#include "auth/false_credentials.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <string>
#include <string_view>

namespace restante {
namespace {

/// A file for the time of a test.
class MachineId {
public:
    explicit MachineId(std::string_view content) {
        ::close(::mkstemp(path.data()));
        std::ofstream(path) << content;
    }
    MachineId(const MachineId&) = delete;
    MachineId& operator=(const MachineId&) = delete;
    ~MachineId() { ::unlink(path.c_str()); }

    std::string path = "/tmp/machine-id-XXXXXX";
};

std::string salt_after_start(const std::string& machine_id_path) {
    return FalseCredentials::make(machine_id_path).salt("nobody");
}

TEST_CASE("a restart does not change the salts of users that there are not") {
    const MachineId here("0123456789abcdef0123456789abcdef\n");
    const MachineId elsewhere("0123456789abcdef0123456789abcdee\n");
    CHECK(salt_after_start(here.path) == salt_after_start(here.path));
    CHECK(salt_after_start(here.path) != salt_after_start(elsewhere.path));
}

TEST_CASE("a machine without an id has random salts: nobody can compute which are false") {
    const MachineId unfit("uninitialized\n");
    const MachineId too_short("0123\n");
    for (const std::string& path : {unfit.path, too_short.path, std::string("/nonexistent")}) {
        CHECK(salt_after_start(path) != salt_after_start(path));
    }
}

}  // namespace
}  // namespace restante
