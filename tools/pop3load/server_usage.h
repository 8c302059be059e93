#pragma once
/// What the server under load uses: CPU time, memory and context switches of its process tree, or
/// of its control group.

#include <cstdint>
#include <expected>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace pop3load {

/// All but the memory are sums since the server began and never fall: subtract two samples.
struct UsageSample {
    double cpu_seconds = 0;
    std::uint64_t memory_octets = 0;  ///< now
    std::uint64_t voluntary_switches = 0;
    std::uint64_t involuntary_switches = 0;
};

/// Processes one samples again and again. Counts that end with a thread or a process are kept as
/// they were last seen.
class ProcessTally {
public:
    /// `proc`: where procfs is.
    explicit ProcessTally(std::string proc) : proc_(std::move(proc)) {}

    /// Reads all of `root` and its children, and of what was a child of theirs when it was last
    /// seen. CPU time: own, of the threads that ended too, and of children that were waited for
    /// (cutime, cstime: proc(5)). False where there is no such process any more.
    bool sample_tree(int root, UsageSample& sample);
    /// Adds the context switches of `pids` alone.
    void sample_switches(const std::vector<int>& pids, UsageSample& sample);

    /// Whether the memory is a sum of PSS (/proc/PID/smaps_rollup), else of RSS, which counts what
    /// processes share once each: the former takes permission.
    bool is_pss() const { return is_pss_; }

private:
    struct Process {
        std::uint64_t start_ticks = 0;
        double cpu_seconds = 0;
        bool is_stray =
            false;  ///< its parent is not of the tree any more: nobody inherits its time
    };
    struct Switches {
        std::uint64_t voluntary = 0;
        std::uint64_t involuntary = 0;
    };
    void visit(int pid, bool is_stray, UsageSample& sample);
    void visit_threads(int pid, std::set<int>& threads_seen);
    void add_switches(const std::set<int>& threads_seen, UsageSample& sample);
    std::uint64_t memory_of(int pid);

    std::string proc_;
    std::map<int, Process> processes_;
    std::set<int> seen_;  // in the sample being taken
    double ended_strays_seconds_ = 0;
    double cpu_seconds_last_ = 0;
    std::map<int, Switches> threads_;
    Switches ended_threads_;
    bool is_pss_ = true;
};

/// One source, sampled by one thread. Every error is a sentence without a full stop.
class UsageMeter {
public:
    /// The process and all its children.
    static std::expected<UsageMeter, std::string> of_process(int pid);
    /// A folder of the cgroup file system, version 2, or of its controller cpuacct, version 1, with
    /// a folder of the same name in the controller memory; or its name below `mount`.
    static std::expected<UsageMeter, std::string> of_cgroup(
        const std::string& name, const std::string& mount = "/sys/fs/cgroup");

    std::expected<UsageSample, std::string> sample();
    /// "pid 4711 (PSS)", "cgroup /sys/fs/cgroup/cpuacct/mail".
    std::string source() const;

private:
    struct Cgroup {
        std::string cpu_folder;
        std::string memory_folder;  ///< "" where there is none
        bool is_v2 = false;
    };
    UsageMeter() : tally_("/proc") {}
    std::expected<UsageSample, std::string> sample_cgroup();
    static std::expected<Cgroup, std::string> find_cgroup(const std::string& name,
                                                          const std::string& mount);

    int pid_ = 0;
    Cgroup cgroup_;
    ProcessTally tally_;
};

}  // namespace pop3load
