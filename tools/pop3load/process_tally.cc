/// ProcessTally: what /proc says of processes and their threads.

#include <fmt/format.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <sstream>
#include <vector>

#include "base/decimal.h"
#include "server_usage.h"
#include "text_file.h"

namespace pop3load {
namespace {

/// Larger trees than any server's are cut off.
constexpr std::size_t processes_max = 100'000;

/// Of /proc/PID/stat, proc(5).
struct ProcessStat {
    int parent;
    std::uint64_t own_ticks;
    std::uint64_t children_ticks;  ///< of those waited for
    std::uint64_t start_ticks;
};

std::optional<ProcessStat> read_stat(const std::string& folder) {
    const auto text = read_text_file(folder + "/stat");
    // The second field is a name in parentheses, which may hold blanks and parentheses.
    const std::size_t name_end = text ? text->rfind(')') : std::string::npos;
    if (name_end == std::string::npos) return std::nullopt;
    std::istringstream fields(text->substr(name_end + 1));
    std::string skipped;
    ProcessStat stat{};
    std::uint64_t user = 0, system = 0, children_user = 0, children_system = 0;
    fields >> skipped >> stat.parent;                              // 3, 4
    for (int field = 5; field < 14; ++field) fields >> skipped;    // to 13
    fields >> user >> system >> children_user >> children_system;  // to 17
    for (int field = 18; field < 22; ++field) fields >> skipped;   // to 21
    if (!(fields >> stat.start_ticks)) return std::nullopt;
    stat.own_ticks = user + system;
    stat.children_ticks = children_user + children_system;
    return stat;
}

double seconds_of(std::uint64_t ticks) {
    return static_cast<double>(ticks) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

/// Of all threads, those that ended too; in nanoseconds where the clock can be read, else in the
/// ticks of stat.
double own_seconds(int pid, const ProcessStat& stat) {
    clockid_t clock{};
    timespec time{};
    if (::clock_getcpuclockid(pid, &clock) != 0 || ::clock_gettime(clock, &time) != 0) {
        return seconds_of(stat.own_ticks);
    }
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

/// The number after "KEY:" at the beginning of a line.
std::optional<std::uint64_t> number_after(const std::string& text, std::string_view key) {
    for (std::size_t at = 0; at < text.size(); at = text.find('\n', at) + 1) {
        std::string_view line = std::string_view(text).substr(at);
        if (line.starts_with(key)) {
            line.remove_prefix(std::min(line.find_first_of("0123456789"), line.size()));
            return restante::take_decimal<std::uint64_t>(line);
        }
        if (text.find('\n', at) == std::string::npos) break;
    }
    return std::nullopt;
}

/// The numbers that a folder's entries are named by.
std::vector<int> numbers_in(const std::string& folder) {
    std::vector<int> numbers;
    std::error_code gone;  // a process may end at any time
    for (std::filesystem::directory_iterator at(folder, gone), end; !gone && at != end;
         at.increment(gone)) {
        const std::string name = at->path().filename().string();
        const std::optional<unsigned> number = restante::parse_decimal<unsigned>(name);
        if (number) numbers.push_back(static_cast<int>(*number));
    }
    return numbers;
}

/// The children of all processes there are.
std::map<int, std::vector<int>> children_by_parent(const std::string& proc) {
    std::map<int, std::vector<int>> children;
    for (const int pid : numbers_in(proc)) {
        const auto stat = read_stat(fmt::format("{}/{}", proc, pid));
        if (stat) children[stat->parent].push_back(pid);
    }
    return children;
}

/// `root` and what descends from it.
std::vector<int> tree_of(const std::string& proc, int root) {
    const std::map<int, std::vector<int>> children = children_by_parent(proc);
    std::vector<int> tree = {root};
    for (std::size_t i = 0; i < tree.size() && tree.size() < processes_max; ++i) {
        const auto own = children.find(tree[i]);
        if (own != children.end()) tree.insert(tree.end(), own->second.begin(), own->second.end());
    }
    return tree;
}

}  // namespace

bool ProcessTally::sample_tree(int root, UsageSample& sample) {
    seen_.clear();
    for (const int pid : tree_of(proc_, root)) visit(pid, false, sample);
    if (!seen_.contains(root)) return false;
    std::vector<int> strays;
    for (const auto& [pid, process] : processes_) {
        if (!seen_.contains(pid)) strays.push_back(pid);
    }
    for (const int pid : strays) visit(pid, true, sample);
    std::erase_if(processes_, [&](const auto& entry) {
        const bool has_ended = !seen_.contains(entry.first);
        if (has_ended && entry.second.is_stray) ended_strays_seconds_ += entry.second.cpu_seconds;
        return has_ended;
    });
    // A parent is read before its children: of one that ends in between, the next sample has the
    // time, in its parent's.
    cpu_seconds_last_ = std::max(cpu_seconds_last_, sample.cpu_seconds + ended_strays_seconds_);
    sample.cpu_seconds = cpu_seconds_last_;
    sample_switches({seen_.begin(), seen_.end()}, sample);
    return true;
}

void ProcessTally::visit(int pid, bool is_stray, UsageSample& sample) {
    const auto stat = read_stat(fmt::format("{}/{}", proc_, pid));
    if (!stat) return;
    const auto known = processes_.find(pid);
    const bool is_known =
        known != processes_.end() && known->second.start_ticks == stat->start_ticks;
    if (is_stray && !is_known) return;  // its number was given to another
    if (known != processes_.end() && !is_known && known->second.is_stray) {
        ended_strays_seconds_ += known->second.cpu_seconds;
    }
    const double seconds = own_seconds(pid, *stat) + seconds_of(stat->children_ticks);
    processes_[pid] = {stat->start_ticks, seconds, is_stray};
    seen_.insert(pid);
    sample.cpu_seconds += seconds;
    sample.memory_octets += memory_of(pid);
}

void ProcessTally::sample_switches(const std::vector<int>& pids, UsageSample& sample) {
    std::set<int> threads_seen;
    for (const int pid : pids) visit_threads(pid, threads_seen);
    add_switches(threads_seen, sample);
}

void ProcessTally::visit_threads(int pid, std::set<int>& threads_seen) {
    const std::string folder = fmt::format("{}/{}/task", proc_, pid);
    for (const int thread : numbers_in(folder)) {
        const auto status = read_text_file(fmt::format("{}/{}/status", folder, thread));
        if (!status) continue;
        const auto voluntary = number_after(*status, "voluntary_ctxt_switches:");
        const auto involuntary = number_after(*status, "nonvoluntary_ctxt_switches:");
        if (!voluntary || !involuntary) continue;
        Switches& last = threads_[thread];
        if (*voluntary < last.voluntary) {  // another thread of the same number
            ended_threads_.voluntary += last.voluntary;
            ended_threads_.involuntary += last.involuntary;
        }
        last = {*voluntary, *involuntary};
        threads_seen.insert(thread);
    }
}

void ProcessTally::add_switches(const std::set<int>& threads_seen, UsageSample& sample) {
    std::erase_if(threads_, [&](const auto& entry) {
        if (threads_seen.contains(entry.first)) return false;
        ended_threads_.voluntary += entry.second.voluntary;
        ended_threads_.involuntary += entry.second.involuntary;
        return true;
    });
    sample.voluntary_switches += ended_threads_.voluntary;
    sample.involuntary_switches += ended_threads_.involuntary;
    for (const auto& [thread, switches] : threads_) {
        sample.voluntary_switches += switches.voluntary;
        sample.involuntary_switches += switches.involuntary;
    }
}

std::uint64_t ProcessTally::memory_of(int pid) {
    const std::string folder = fmt::format("{}/{}", proc_, pid);
    if (is_pss_) {
        const auto rollup = read_text_file(folder + "/smaps_rollup");
        const auto kibibytes = rollup ? number_after(*rollup, "Pss:") : std::nullopt;
        if (kibibytes) return *kibibytes * 1024;
        // One that just ended has no PSS either; only where the process is there is it forbidden.
        const auto statm = read_text_file(folder + "/statm");
        if (!statm || statm->starts_with("0 ")) return 0;
        is_pss_ = false;
    }
    std::istringstream statm(read_text_file(folder + "/statm").value_or(""));
    std::uint64_t total_pages = 0, resident_pages = 0;
    statm >> total_pages >> resident_pages;
    return resident_pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace pop3load
