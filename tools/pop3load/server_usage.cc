#include "server_usage.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>

#include "base/decimal.h"
#include "text_file.h"

namespace pop3load {
namespace {

namespace fs = std::filesystem;

/// Below the mount; version 1 has them on their own or together.
constexpr std::array<std::string_view, 3> cpu_controllers = {"cpuacct", "cpu,cpuacct",
                                                             "cpuacct,cpu"};
/// The folders below one control group that are looked at.
constexpr std::size_t subgroups_max = 10'000;

std::expected<std::string, std::string> read_file(const std::string& path) {
    std::expected<std::string, std::string> text = read_text_file(path);
    if (!text) return std::unexpected(fmt::format("cannot read {}: {}", path, text.error()));
    return text;
}

/// The file is a number.
std::expected<std::uint64_t, std::string> read_number(const std::string& path) {
    const auto text = read_file(path);
    if (!text) return std::unexpected(text.error());
    std::string_view rest = *text;
    const auto number = restante::take_decimal<std::uint64_t>(rest);
    if (!number) return std::unexpected(fmt::format("{} does not begin with a number", path));
    return *number;
}

/// 123 of a line "key 123", as cpu.stat and memory.stat have them.
std::expected<std::uint64_t, std::string> read_stat(const std::string& path,
                                                    std::string_view wanted) {
    const auto text = read_file(path);
    if (!text) return std::unexpected(text.error());
    std::istringstream lines(*text);
    std::string key;
    std::uint64_t value = 0;
    while (lines >> key >> value) {
        if (key == wanted) return value;
    }
    return std::unexpected(fmt::format("{} has no {}", path, wanted));
}

/// What a control group holds, the page cache of files left out: the kernel takes that back when it
/// wants to. In version 1 only "total_" counts the groups below, as the usage does.
std::expected<std::uint64_t, std::string> read_memory(const std::string& folder, bool is_v2) {
    const auto all = read_number(folder + (is_v2 ? "/memory.current" : "/memory.usage_in_bytes"));
    if (!all) return all;
    std::uint64_t cache = 0;
    for (const std::string_view state : {"active_file", "inactive_file"}) {
        const auto octets =
            read_stat(folder + "/memory.stat", fmt::format("{}{}", is_v2 ? "" : "total_", state));
        if (!octets) return octets;
        cache += *octets;
    }
    return *all - std::min(*all, cache);  // they are not read at one moment
}

bool exists(const std::string& path) {
    std::error_code unreadable;
    return fs::exists(path, unreadable);
}

/// `path` with its component `from` made `to`; "" where it has none such.
std::string with_component(const std::string& path, std::string_view from, std::string_view to) {
    const std::string wanted = fmt::format("/{}/", from);
    const std::size_t at = (path + "/").find(wanted);
    if (at == std::string::npos) return "";
    std::string changed = path;
    return changed.replace(at + 1, from.size(), to);
}

/// The processes of a control group and of those below it.
std::vector<int> processes_of(const std::string& folder) {
    std::vector<std::string> folders = {folder};
    std::error_code gone;
    for (fs::recursive_directory_iterator at(folder, gone), end; !gone && at != end;
         at.increment(gone)) {
        std::error_code unknown;
        if (at->is_directory(unknown) && folders.size() < subgroups_max) {
            folders.push_back(at->path().string());
        }
    }
    std::vector<int> pids;
    for (const std::string& each : folders) {
        std::ifstream file(each + "/cgroup.procs");
        for (int pid = 0; file >> pid;) pids.push_back(pid);
    }
    return pids;
}

}  // namespace

std::expected<UsageMeter, std::string> UsageMeter::of_process(int pid) {
    UsageMeter meter;
    meter.pid_ = pid;
    const auto first = meter.sample();
    if (!first) return std::unexpected(first.error());
    return meter;
}

std::expected<UsageMeter, std::string> UsageMeter::of_cgroup(const std::string& name,
                                                             const std::string& mount) {
    const auto found = find_cgroup(name, mount);
    if (!found) return std::unexpected(found.error());
    UsageMeter meter;
    meter.cgroup_ = *found;
    const auto first = meter.sample();
    if (!first) return std::unexpected(first.error());
    return meter;
}

std::expected<UsageMeter::Cgroup, std::string> UsageMeter::find_cgroup(const std::string& name,
                                                                       const std::string& mount) {
    std::vector<std::string> candidates;
    if (name.starts_with('/')) {
        candidates = {name};
    } else {
        candidates = {fmt::format("{}/{}", mount, name), fmt::format("{}/unified/{}", mount, name)};
        for (const std::string_view controller : cpu_controllers) {
            candidates.push_back(fmt::format("{}/{}/{}", mount, controller, name));
        }
    }
    for (std::string& folder : candidates) {
        while (folder.size() > 1 && folder.ends_with('/')) folder.pop_back();
        if (exists(folder + "/cpuacct.usage")) {
            Cgroup group{folder, "", false};
            for (const std::string_view controller : cpu_controllers) {
                const std::string memory = with_component(folder, controller, "memory");
                if (!memory.empty() && exists(memory)) group.memory_folder = memory;
            }
            return group;
        }
        if (!exists(folder + "/cpu.stat") || !exists(folder + "/cgroup.procs")) continue;
        return Cgroup{folder, exists(folder + "/memory.current") ? folder : "", true};
    }
    return std::unexpected(fmt::format(
        "there is no control group {} with cpu.stat (version 2) or cpuacct.usage (version 1): name "
        "its folder, such as {}/system.slice/dovecot.service",
        name, mount));
}

std::expected<UsageSample, std::string> UsageMeter::sample() {
    if (pid_ == 0) return sample_cgroup();
    UsageSample sample;
    if (!tally_.sample_tree(pid_, sample)) {
        return std::unexpected(fmt::format("there is no process {}: the server has ended", pid_));
    }
    return sample;
}

std::expected<UsageSample, std::string> UsageMeter::sample_cgroup() {
    UsageSample sample;
    if (cgroup_.is_v2) {
        const auto microseconds = read_stat(cgroup_.cpu_folder + "/cpu.stat", "usage_usec");
        if (!microseconds) return std::unexpected(microseconds.error());
        sample.cpu_seconds = static_cast<double>(*microseconds) * 1e-6;
    } else {
        const auto nanoseconds = read_number(cgroup_.cpu_folder + "/cpuacct.usage");
        if (!nanoseconds) return std::unexpected(nanoseconds.error());
        sample.cpu_seconds = static_cast<double>(*nanoseconds) * 1e-9;
    }
    if (!cgroup_.memory_folder.empty()) {
        const auto octets = read_memory(cgroup_.memory_folder, cgroup_.is_v2);
        if (!octets) return std::unexpected(octets.error());
        sample.memory_octets = *octets;
    }
    tally_.sample_switches(processes_of(cgroup_.cpu_folder), sample);
    return sample;
}

std::string UsageMeter::source() const {
    if (pid_ == 0) return "cgroup " + cgroup_.cpu_folder;
    return fmt::format("pid {} ({})", pid_, tally_.is_pss() ? "PSS" : "RSS");
}

}  // namespace pop3load
