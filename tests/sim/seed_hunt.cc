#include "sim/seed_hunt.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "base/fd.h"

namespace restante::sim {
namespace {

constexpr std::array crash_signals{SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGALRM};
/// A run takes a fraction of a second, sanitized a few; one that goes on and on is a failure too.
constexpr unsigned run_seconds_max = 60;
constexpr int attempts_max = 1500;
/// How many other seeds are tried with a smaller scenario: the same trouble at other moments.
constexpr std::uint64_t other_seeds = 8;
constexpr std::chrono::seconds minimising_max{60};

/// What a child has to tell: "steps invariant text".
void tell(int pipe, const OfficeResult& result) {
    std::string words = std::to_string(result.steps);
    if (result.failure) {
        words += ' ' + std::to_string(static_cast<int>(result.failure->invariant)) + ' ' +
                 result.failure->what;
    }
    [[maybe_unused]] const ssize_t written = ::write(pipe, words.data(), words.size());
}

std::string read_all(int pipe) {
    std::string all;
    std::array<char, 4096> piece;
    for (ssize_t got; (got = ::read(pipe, piece.data(), piece.size())) > 0;)
        all.append(piece.data(), static_cast<std::size_t>(got));
    return all;
}

/// `status` is of waitpid().
HuntedResult result_of(const std::string& words, int status) {
    HuntedResult result;
    if (words.empty()) {
        const std::string how = WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "exit";
        result.failure.emplace(
            Verdicts::Failure{Invariant::no_assertion_fails, "the run ended by itself: " + how});
        return result;
    }
    char* end = nullptr;
    result.steps = static_cast<std::uint32_t>(std::strtoul(words.c_str(), &end, 10));
    if (*end == '\0') return result;
    const auto invariant = static_cast<Invariant>(std::strtol(end, &end, 10));
    result.failure.emplace(Verdicts::Failure{invariant, *end == '\0' ? "" : end + 1});
    return result;
}

[[noreturn]] void run_as_child(const Scenario& scenario, const OfficeRunner& runner, int pipe) {
    for (const int signal : crash_signals) std::signal(signal, SIG_DFL);
    const int silence = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
    ::dup2(silence, STDERR_FILENO);  // of assertions: the parent has the words for it
    ::alarm(run_seconds_max);
    tell(pipe, runner ? runner(scenario) : run_post_office(scenario));
    ::_exit(0);
}

/// Tries smaller scenarios, and keeps those that fail as the first one did.
class Minimiser {
public:
    Minimiser(const Scenario& scenario, const OfficeRunner& runner)
        : best_(scenario),
          runner_(runner),
          end_(std::chrono::steady_clock::now() + minimising_max) {}

    std::optional<Minimised> run() {
        const HuntedResult first = run_in_child(best_, runner_);
        if (!first.failure) return std::nullopt;
        failure_ = *first.failure;
        bool has_shrunk = true;
        while (has_shrunk)
            has_shrunk = shrink(&Scenario::users) || shrink(&Scenario::clients) || drop_troubles();
        keep_steps(first.steps);
        while (shrink(&Scenario::steps)) continue;
        return Minimised{best_, failure_};
    }

private:
    /// Of those that it may take only so many are needed: the run ends with the failure.
    void keep_steps(std::uint32_t taken) {
        if (steps_taken_ == 0) steps_taken_ = taken;
        if (steps_taken_ > 0) best_.steps = std::min(best_.steps, steps_taken_);
    }

    bool try_it(Scenario smaller) {
        for (std::uint64_t other = 0; other <= other_seeds; ++other, ++smaller.seed) {
            if (fails_alike(smaller)) return true;
        }
        return false;
    }

    bool fails_alike(const Scenario& smaller) {
        if (++attempts_ > attempts_max || std::chrono::steady_clock::now() > end_) return false;
        const HuntedResult result = run_in_child(smaller, runner_);
        if (!result.failure || result.failure->invariant != failure_.invariant) return false;
        best_ = smaller;
        failure_ = *result.failure;
        steps_taken_ = result.steps;
        return true;
    }

    bool drop_troubles() {
        bool has_shrunk = false;
        for (std::size_t at = 0; at < troubles; ++at) {
            const auto trouble = static_cast<Trouble>(at);
            if (!best_.trouble.has(trouble)) continue;
            Scenario smaller = best_;
            smaller.trouble.set(trouble, false);
            if (try_it(smaller)) has_shrunk = true;
        }
        return has_shrunk;
    }

    /// To one, to a half, by a quarter, by one: whatever fails still.
    bool shrink(std::uint32_t Scenario::*number) {
        const std::uint32_t now = best_.*number;
        for (const std::uint32_t less : {now - 1, now / 2, now / 4, 1U}) {
            Scenario smaller = best_;
            smaller.*number = now - less;
            if (less == 0 || less >= now) continue;
            if (try_it(smaller)) return true;
        }
        return false;
    }

    Scenario best_;
    Verdicts::Failure failure_{};
    std::uint32_t steps_taken_ = 0;
    const OfficeRunner& runner_;
    const std::chrono::steady_clock::time_point end_;
    int attempts_ = 0;
};

/// Of the scenario under way, made before it begins: the signal handler only looks.
struct Watch {
    std::vector<std::string> words;
    std::vector<char*> environment;  // of the words, then a nullptr
    std::string note;
    std::array<void (*)(int), crash_signals.size()> former;
};

Watch& watch() {
    static Watch watched;
    return watched;
}

void note_death() {
    const std::string& note = watch().note;
    [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, note.data(), note.size());
}

/// Only calls that are safe in a signal handler.
void execute_anew(int signal) {
    ::alarm(0);
    note_death();
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    char program[] = "/proc/self/exe";
    char which[] = "-tc=post office: hundreds*";
    char* const arguments[] = {program, which, nullptr};
    ::execve(program, arguments, watch().environment.data());
    std::signal(signal, SIG_DFL);
    ::raise(signal);
}

std::vector<std::string> words_of(const Scenario& scenario) {
    return {"RESTANTE_SIM_SEED=" + std::to_string(scenario.seed),
            "RESTANTE_SIM_USERS=" + std::to_string(scenario.users),
            "RESTANTE_SIM_CLIENTS=" + std::to_string(scenario.clients),
            "RESTANTE_SIM_STEPS=" + std::to_string(scenario.steps),
            "RESTANTE_SIM_TROUBLE=" + scenario.trouble.text()};
}

/// As it is called from where this runs: what only a sanitizer sees fails in its build only.
std::string program() {
    std::error_code error;
    const std::filesystem::path path = std::filesystem::read_symlink("/proc/self/exe", error);
    const std::filesystem::path nearer =
        path.lexically_proximate(std::filesystem::current_path(error));
    if (nearer.empty() || *nearer.begin() == "..") return path.string();
    return nearer.has_parent_path() ? nearer.string() : "./" + nearer.string();
}

}  // namespace

HuntedResult run_in_child(const Scenario& scenario, const OfficeRunner& runner) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) std::abort();
    const Fd reading(ends[0]);
    std::optional<Fd> writing(std::in_place, ends[1]);
    std::fflush(nullptr);
    const pid_t child = ::fork();
    if (child < 0) std::abort();
    if (child == 0) run_as_child(scenario, runner, writing->get());
    writing.reset();
    const std::string words = read_all(reading.get());
    int status = 0;
    ::waitpid(child, &status, 0);
    return result_of(words, status);
}

std::optional<Minimised> minimise(const Scenario& scenario, const OfficeRunner& runner) {
    return Minimiser(scenario, runner).run();
}

std::string replay_command(const Scenario& scenario) {
    std::string command;
    for (const std::string& word : words_of(scenario)) command += word + ' ';
    return command + program() + " -tc='post office: hundreds*'";
}

std::vector<std::string> environment_anew(const Scenario& scenario) {
    std::vector<std::string> words = words_of(scenario);
    words.emplace_back("RESTANTE_SIM_MINIMISE=1");
    for (const char* name : {"ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS"}) {
        const char* value = std::getenv(name);
        if (value != nullptr) words.push_back(std::string(name) + '=' + value);
    }
    return words;
}

// A sanitizer ends the process in its own way, but says so first.
extern "C" __attribute__((weak)) void __sanitizer_set_death_callback(void (*callback)());

CrashWatch::CrashWatch(const Scenario& scenario) {
    Watch& watched = watch();
    watched.words = environment_anew(scenario);
    watched.environment.clear();
    for (std::string& word : watched.words) watched.environment.push_back(word.data());
    watched.environment.push_back(nullptr);
    watched.note = "replay: " + replay_command(scenario) + "\n";
    for (std::size_t at = 0; at < crash_signals.size(); ++at)
        watched.former[at] = std::signal(crash_signals[at], execute_anew);
    ::alarm(run_seconds_max);
    if (__sanitizer_set_death_callback != nullptr) __sanitizer_set_death_callback(note_death);
}

CrashWatch::~CrashWatch() {
    ::alarm(0);
    for (std::size_t at = 0; at < crash_signals.size(); ++at)
        std::signal(crash_signals[at], watch().former[at]);
    watch().note.clear();
}

}  // namespace restante::sim
