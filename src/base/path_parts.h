#pragma once
/// A path as a folder and a name in it, for openat(2) and its kin.

#include <algorithm>
#include <string>

namespace restante {

struct PathParts {
    std::string folder;  ///< "." where `path` has none
    std::string name;    ///< empty where `path` ends in a slash
};

inline PathParts split_path(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    if (slash == std::string::npos) return {".", path};
    return {path.substr(0, std::max<std::size_t>(slash, 1)), path.substr(slash + 1)};
}

}  // namespace restante
