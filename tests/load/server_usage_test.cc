#include "server_usage.h"

#include <doctest/doctest.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <expected>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

using pop3load::UsageMeter;
using pop3load::UsageSample;
namespace fs = std::filesystem;

namespace {

void use_cpu(double seconds) {
    timespec begun{}, now{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &begun);
    do {
        ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    } while (static_cast<double>(now.tv_sec - begun.tv_sec) +
                 static_cast<double>(now.tv_nsec - begun.tv_nsec) * 1e-9 <
             seconds);
}

/// A process that does what it is told, one word a time, and answers when it is done; it ends with
/// the test.
class Child {
public:
    explicit Child(void (*work)(char)) {
        REQUIRE(::pipe(to_) == 0);
        REQUIRE(::pipe(from_) == 0);
        pid_ = ::fork();
        if (pid_ != 0) return;
        ::close(to_[1]);
        for (char word = 0; ::read(to_[0], &word, 1) == 1;) {
            work(word);
            if (::write(from_[1], &word, 1) != 1) break;
        }
        ::_exit(0);
    }
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;
    ~Child() {
        ::close(to_[1]);
        ::waitpid(pid_, nullptr, 0);
        for (const int end : {to_[0], from_[0], from_[1]}) ::close(end);
    }
    void tell(char word) {
        REQUIRE(::write(to_[1], &word, 1) == 1);
        REQUIRE(::read(from_[0], &word, 1) == 1);
    }
    int pid() const { return pid_; }

private:
    int to_[2];
    int from_[2];
    pid_t pid_ = 0;
};

UsageSample sample(UsageMeter& meter) {
    const auto taken = meter.sample();
    REQUIRE(taken);
    return *taken;
}

/// A folder in which files can be made to look like a control group.
struct FakeMount {
    FakeMount() {
        char name[] = "/tmp/pop3load-cgroup-XXXXXX";
        root = ::mkdtemp(name);
    }
    FakeMount(const FakeMount&) = delete;
    FakeMount& operator=(const FakeMount&) = delete;
    ~FakeMount() { fs::remove_all(root); }
    void write(const std::string& path, const std::string& text) const {
        fs::create_directories(fs::path(root + "/" + path).parent_path());
        std::ofstream(root + "/" + path) << text;
    }
    std::string root;
};

}  // namespace

TEST_CASE("CPU time of a process counts its threads, those that ended too") {
    Child child([](char) { std::thread([] { use_cpu(0.05); }).join(); });
    auto meter = UsageMeter::of_process(child.pid());
    REQUIRE(meter);
    const double before = sample(*meter).cpu_seconds;
    child.tell('w');
    const double used = sample(*meter).cpu_seconds - before;
    CHECK(used >= 0.05);
    CHECK(used < 0.5);
}

TEST_CASE("CPU time of children counts while they live, once, and after they were waited for") {
    Child child([](char word) {
        static pid_t grandchild = 0;
        if (word == 'e') {
            ::kill(grandchild, SIGKILL);
            ::waitpid(grandchild, nullptr, 0);
            return;
        }
        int done[2];
        if (::pipe(done) != 0) return;
        grandchild = ::fork();
        if (grandchild == 0) {
            use_cpu(0.2);
            if (::write(done[1], "d", 1) == 1) ::pause();
            ::_exit(0);
        }
        char octet = 0;
        if (::read(done[0], &octet, 1) != 1) ::_exit(1);
    });
    auto meter = UsageMeter::of_process(child.pid());
    REQUIRE(meter);
    const UsageSample before = sample(*meter);
    child.tell('b');
    const UsageSample alive = sample(*meter);
    CHECK(alive.cpu_seconds - before.cpu_seconds >= 0.2);
    CHECK(alive.memory_octets > before.memory_octets);
    child.tell('e');
    const UsageSample ended = sample(*meter);
    CHECK(ended.cpu_seconds >= alive.cpu_seconds);
    CHECK(ended.cpu_seconds - before.cpu_seconds < 0.4);  // not twice
    CHECK(ended.voluntary_switches >= alive.voluntary_switches);
}

TEST_CASE("a child that is born and ends between two samples is not lost") {
    Child child([](char) {
        const pid_t grandchild = ::fork();
        if (grandchild == 0) {
            use_cpu(0.1);
            ::_exit(0);
        }
        ::waitpid(grandchild, nullptr, 0);
    });
    auto meter = UsageMeter::of_process(child.pid());
    REQUIRE(meter);
    const double before = sample(*meter).cpu_seconds;
    child.tell('w');
    CHECK(sample(*meter).cpu_seconds - before >= 0.08);  // cutime is in hundredths of a second
}

TEST_CASE("context switches of a thread are kept once it has ended") {
    Child child([](char word) {
        static std::atomic<int> sleeps;
        static std::atomic<bool> may_end;
        static std::thread thread;
        if (word == 'e') {
            may_end = true;
            thread.join();
            return;
        }
        thread = std::thread([] {
            for (; !may_end; ++sleeps) std::this_thread::sleep_for(std::chrono::microseconds(10));
        });
        // More than are asked for: one that is held up on its way to sleep is no switch.
        while (sleeps < 1000) ::sched_yield();
    });
    auto meter = UsageMeter::of_process(child.pid());
    REQUIRE(meter);
    const std::uint64_t before = sample(*meter).voluntary_switches;
    child.tell('b');
    const std::uint64_t alive = sample(*meter).voluntary_switches;
    CHECK(alive >= before + 500);
    child.tell('e');
    CHECK(sample(*meter).voluntary_switches >= alive);
}

TEST_CASE("memory is that of the process, and the source says which") {
    Child child([](char) {
        static std::string held;
        held.assign(50'000'000, 'x');
    });
    auto meter = UsageMeter::of_process(child.pid());
    REQUIRE(meter);
    const std::uint64_t before = sample(*meter).memory_octets;
    child.tell('m');
    CHECK(sample(*meter).memory_octets > before + 45'000'000);
    CHECK(meter->source().starts_with("pid " + std::to_string(child.pid()) + " ("));
}

TEST_CASE("a process that is not there, or ends, is told in words") {
    CHECK(UsageMeter::of_process(INT32_MAX).error() ==
          "there is no process 2147483647: the server has ended");
    std::expected<UsageMeter, std::string> meter = std::unexpected(std::string());
    {
        Child child([](char) {});
        meter = UsageMeter::of_process(child.pid());
        REQUIRE(meter);
    }
    CHECK_FALSE(meter->sample());
}

TEST_CASE("a control group of version 2: cpu.stat and memory.current") {
    const FakeMount mount;
    mount.write("mail.slice/cpu.stat", "nr_periods 0\nusage_usec 2500000\nuser_usec 1\n");
    mount.write("mail.slice/memory.current", "10000\n");
    mount.write("mail.slice/memory.stat",
                "anon 4096\nfile 5904\nshmem 904\ninactive_file 3000\nactive_file 2000\n");
    mount.write("mail.slice/cgroup.procs", "");
    mount.write("mail.slice/sub/cgroup.procs", std::to_string(::getpid()) + "\n");
    for (const std::string& name : {std::string("mail.slice"), mount.root + "/mail.slice/"}) {
        auto meter = UsageMeter::of_cgroup(name, mount.root);
        REQUIRE(meter);
        const UsageSample taken = sample(*meter);
        CHECK(taken.cpu_seconds == doctest::Approx(2.5));
        CHECK(taken.memory_octets == 5000);  // without the page cache of files
        CHECK(taken.voluntary_switches + taken.involuntary_switches > 0);
        CHECK(meter->source() == "cgroup " + mount.root + "/mail.slice");
    }
}

TEST_CASE("a control group of version 1: cpuacct.usage, and memory beside it") {
    const FakeMount mount;
    mount.write("cpu,cpuacct/a/b/cpuacct.usage", "1500000000\n");
    mount.write("cpu,cpuacct/a/b/cgroup.procs", "");
    mount.write("memory/a/b/memory.usage_in_bytes", "8192\n");
    mount.write("memory/a/b/memory.stat",
                "cache 1\ninactive_file 1\nactive_file 1\n"
                "total_inactive_file 150\ntotal_active_file 42\n");
    for (const std::string& name : {std::string("a/b"), mount.root + "/cpu,cpuacct/a/b"}) {
        auto meter = UsageMeter::of_cgroup(name, mount.root);
        REQUIRE(meter);
        const UsageSample taken = sample(*meter);
        CHECK(taken.cpu_seconds == doctest::Approx(1.5));
        CHECK(taken.memory_octets == 8000);  // that of the groups below is left out too
    }
}

TEST_CASE("a control group that is not there or cannot be read is told in words") {
    const FakeMount mount;
    CHECK(UsageMeter::of_cgroup("none", mount.root).error() ==
          "there is no control group none with cpu.stat (version 2) or cpuacct.usage (version 1): "
          "name its folder, such as " +
              mount.root + "/system.slice/dovecot.service");
    mount.write("odd/cpu.stat", "nr_periods 0\n");
    mount.write("odd/cgroup.procs", "");
    CHECK(UsageMeter::of_cgroup("odd", mount.root).error() ==
          mount.root + "/odd/cpu.stat has no usage_usec");
    mount.write("cpuacct/odd1/cpuacct.usage", "many\n");
    CHECK(UsageMeter::of_cgroup("odd1", mount.root).error() ==
          mount.root + "/cpuacct/odd1/cpuacct.usage does not begin with a number");
}
