// Every fuzz target with its corpus and a fixed number of changed inputs, the same each time:
//   fuzz_round                  all of them; the last line is `N passed, N failed`
//   fuzz_round TARGET           one
//   fuzz_round TARGET FILE...   one, with these inputs
// Each target has a process of its own; the input that ends it is kept in a file.
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "base/assert.h"
#include "fuzz/mutator.h"
#include "fuzz/target.h"

namespace restante::fuzz {
namespace {

constexpr unsigned target_seconds_max = 120;
constexpr std::string_view corpus_folder = "tests/fuzz/corpus";
constexpr std::string_view kept_folder = "build/fuzz/crashes";

/// What a target's process is busy with, where its parent can read it.
struct Current {
    std::size_t octets;
    char input[128 * 1024];
};

std::string octets_of(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

/// Files in the order of their names.
std::vector<std::string> corpus_of(const Target& target) {
    const std::filesystem::path folder = std::filesystem::path(corpus_folder) / target.name;
    std::vector<std::filesystem::path> paths;
    if (std::filesystem::is_directory(folder)) {
        for (const auto& file : std::filesystem::directory_iterator(folder)) paths.push_back(file);
    }
    std::ranges::sort(paths);
    std::vector<std::string> inputs;
    for (const std::filesystem::path& path : paths) inputs.push_back(octets_of(path));
    return inputs;
}

void run_one(const Target& target, std::string_view input, Current& current) {
    current.octets = std::min(input.size(), sizeof current.input);
    std::memcpy(current.input, input.data(), current.octets);
    target.run(input);
}

void run_all(const Target& target, const std::vector<std::string>& inputs, bool changed,
             Current& current) {
    ::alarm(target_seconds_max);
    for (const std::string& input : inputs) run_one(target, input, current);
    if (!changed) return;
    Mutator mutator(inputs);
    for (std::uint32_t round = 0; round < target.rounds; ++round) {
        run_one(target, mutator.next(target.octets_max), current);
    }
}

std::string keep(const Target& target, const Current& current) {
    std::filesystem::create_directories(kept_folder);
    std::string path = std::string(kept_folder) + '/' + std::string(target.name) + "-round";
    std::ofstream(path, std::ios::binary)
        .write(current.input, static_cast<std::streamsize>(current.octets));
    return path;
}

/// In a process of its own; true where it ended well.
bool run_apart(const Target& target, const std::vector<std::string>& inputs, bool changed) {
    void* shared =
        ::mmap(nullptr, sizeof(Current), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ASSERT(shared != MAP_FAILED);
    auto& current = *static_cast<Current*>(shared);
    const auto began = std::chrono::steady_clock::now();
    std::fflush(nullptr);
    const pid_t child = ::fork();
    ASSERT(child >= 0);
    if (child == 0) {
        run_all(target, inputs, changed, current);
        std::exit(0);
    }
    int status = 0;
    ASSERT(::waitpid(child, &status, 0) == child);
    const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - began;
    const std::string name(target.name);
    if (status == 0) {
        std::printf("ok: %s: %zu inputs and %u changed ones (%.1f s)\n", name.c_str(),
                    inputs.size(), changed ? target.rounds : 0U, spent.count());
    } else {
        const std::string path = keep(target, current);
        std::printf("FAILED: %s (status %d): the input is %s; again: tools/fuzz %s %s\n",
                    name.c_str(), status, path.c_str(), name.c_str(), path.c_str());
    }
    ::munmap(shared, sizeof(Current));
    return status == 0;
}

bool run_target(const Target& target) {
    std::vector<std::string> inputs = corpus_of(target);
    if (inputs.empty()) {
        std::printf("FAILED: %s: nothing in %s/%s (run this from the root)\n",
                    std::string(target.name).c_str(), std::string(corpus_folder).c_str(),
                    std::string(target.name).c_str());
        return false;
    }
    return run_apart(target, inputs, true);
}

int sum(std::size_t passed, std::size_t failed) {
    std::printf("%zu passed, %zu failed\n", passed, failed);
    return failed == 0 ? 0 : 1;
}

int run_every_target() {
    std::size_t failed = 0;
    for (const Target& target : targets()) failed += run_target(target) ? 0 : 1;
    return sum(targets().size() - failed, failed);
}

}  // namespace
}  // namespace restante::fuzz

int main(int count, char** arguments) {
    using namespace restante::fuzz;
    if (count == 1) return run_every_target();
    const Target* target = find_target(arguments[1]);
    if (target == nullptr) {
        std::fprintf(stderr, "fuzz_round: no target %s; there are:", arguments[1]);
        for (const Target& one : targets()) {
            std::fprintf(stderr, " %s", std::string(one.name).c_str());
        }
        std::fprintf(stderr, "\n");
        return 2;
    }
    if (count == 2) {
        const bool passed = run_target(*target);
        return sum(passed ? 1 : 0, passed ? 0 : 1);
    }
    std::vector<std::string> inputs;
    for (int i = 2; i < count; ++i) inputs.push_back(octets_of(arguments[i]));
    const bool passed = run_apart(*target, inputs, false);
    return sum(passed ? 1 : 0, passed ? 0 : 1);
}
