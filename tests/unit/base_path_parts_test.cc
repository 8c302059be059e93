#include "base/path_parts.h"

#include <doctest/doctest.h>

namespace restante {
namespace {

void check(const std::string& path, const std::string& folder, const std::string& name) {
    CAPTURE(path);
    const PathParts parts = split_path(path);
    CHECK(parts.folder == folder);
    CHECK(parts.name == name);
}

TEST_CASE("a path is split at its last slash") {
    check("/etc/restante/users", "/etc/restante", "users");
    check("conf/users", "conf", "users");
    check("users", ".", "users");
    check("/users", "/", "users");
    check("conf/", "conf", "");
    check("/", "/", "");
    check("", ".", "");
}

}  // namespace
}  // namespace restante
