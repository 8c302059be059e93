#pragma once
/// What a file system is to do wrong: read from a text file, which may be replaced at any time.

#include <chrono>
#include <cstdint>
#include <fstream>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace restante {

/// To be suffered by one operation: first the wait, then the failure.
struct Fault {
    std::chrono::milliseconds delay{0};
    int error = 0;  ///< errno; 0: it goes well
};

/// One rule a line: `OPERATION PATH MILLISECONDS [ERRNO]`, such as `read /mrose 1000` or
/// `write / 0 ENOSPC`. OPERATION is a name of mirror_fs's, or `any`; PATH, as seen below the mount
/// point, stands for itself and all below it. Empty lines and lines with '#' first say nothing.
class FaultRules {
public:
    /// `file` need not exist yet: then nothing is wrong. `file`.suffered is made.
    explicit FaultRules(std::string file)
        : file_(std::move(file)), suffered_(file_ + ".suffered") {}

    /// What the first rule that fits says; its line is appended to `file`.suffered, so that a test
    /// can tell whether what it asked for has happened, and how often. Looks whether the file is
    /// another one than before: who has renamed a new one over it can count on it. A line that is
    /// no rule ends the process, with a sentence on stderr: a test that misspells a fault must not
    /// pass. Any thread.
    Fault fault_of(std::string_view operation, std::string_view path);

private:
    struct Rule {
        std::string line;
        std::string operation;
        std::string path;
        Fault fault;
    };
    struct Version {
        std::uint64_t inode = 0;
        std::int64_t changed_seconds = 0;
        std::int64_t changed_nanoseconds = 0;
        friend bool operator==(const Version&, const Version&) = default;
    };
    void read_again();
    static Rule parse(const std::string& line);
    static bool fits(const Rule& rule, std::string_view operation, std::string_view path);

    const std::string file_;
    std::mutex mutex_;
    std::ofstream suffered_;
    Version version_;
    std::vector<Rule> rules_;
};

}  // namespace restante
