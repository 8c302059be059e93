#include "fault_rules.h"

#include <sys/stat.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <sstream>

namespace restante {
namespace {

constexpr int errno_max = 4095;  // what the kernel keeps for them

/// By its name, such as ENOSPC.
std::optional<int> errno_named(const std::string& name) {
    for (int error = 1; error <= errno_max; ++error) {
        const char* const known = ::strerrorname_np(error);
        if (known != nullptr && name == known) return error;
    }
    return std::nullopt;
}

}  // namespace

Fault FaultRules::fault_of(std::string_view operation, std::string_view path) {
    const std::lock_guard lock(mutex_);
    struct stat now;
    Version version;
    if (::stat(file_.c_str(), &now) == 0)
        version = {now.st_ino, now.st_ctim.tv_sec, now.st_ctim.tv_nsec};
    if (version != version_) {
        version_ = version;
        read_again();
    }
    for (const Rule& rule : rules_) {
        if (!fits(rule, operation, path)) continue;
        suffered_ << rule.line << std::endl;
        return rule.fault;
    }
    return {};
}

void FaultRules::read_again() {
    rules_.clear();
    std::ifstream file(file_);
    for (std::string line; std::getline(file, line);) {
        if (!line.empty() && line.front() != '#') rules_.push_back(parse(line));
    }
}

FaultRules::Rule FaultRules::parse(const std::string& line) {
    std::istringstream words(line);
    Rule rule{line, {}, {}, {}};
    long milliseconds = -1;
    std::string error;
    words >> rule.operation >> rule.path >> milliseconds >> error;
    const std::optional<int> number = error.empty() ? 0 : errno_named(error);
    if (milliseconds < 0 || !rule.path.starts_with('/') || !number) {
        std::fprintf(stderr, "mirror_fs: no rule: %s (OPERATION PATH MILLISECONDS [ERRNO])\n",
                     line.c_str());
        std::exit(2);
    }
    rule.fault = {std::chrono::milliseconds(milliseconds), *number};
    return rule;
}

bool FaultRules::fits(const Rule& rule, std::string_view operation, std::string_view path) {
    if (rule.operation != "any" && rule.operation != operation) return false;
    if (rule.path == "/" || path == rule.path) return true;
    return path.starts_with(rule.path) && path[rule.path.size()] == '/';
}

}  // namespace restante
