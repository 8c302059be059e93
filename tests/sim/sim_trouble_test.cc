// What the simulator can do to a server: each trouble is what it says, and no more.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <list>
#include <set>
#include <sstream>

#include "base/fd.h"
#include "sim/scenario.h"
#include "sim/seed_hunt.h"
#include "sim/sim_await.h"

namespace restante::sim {
namespace {

constexpr std::string_view address = "192.0.2.25:110";
constexpr const char* folder = "/var/vmail/mrose/new";

std::string path_of(int file) { return std::string(folder) + "/" + std::to_string(file); }

void make_files(SimRing& ring, int count) {
    ring.files().make_directory(folder);
    for (int file = 0; file < count; ++file) ring.files().write_file(path_of(file), "text");
}

/// A connection with its server's end.
struct Link {
    explicit Link(SimRing& simulated)
        : ring(simulated), listener(ring.listen(address)), client(ring.connect(listener)) {
        socket = ask_for_handle(ring, Request::accept(listener, peer, &local));
    }
    ~Link() { ring.close(listener); }

    SimRing& ring;
    const int listener;
    Client client;
    SocketAddress peer;
    SocketAddress local;
    Handle socket;
};

/// "NAME=value" in the environment, for a while.
class EnvironmentWord {
public:
    explicit EnvironmentWord(const std::string& text) : name_(text.substr(0, text.find('='))) {
        if (const char* former = std::getenv(name_.c_str())) former_ = former;
        ::setenv(name_.c_str(), text.c_str() + name_.size() + 1, 1);
    }
    EnvironmentWord(const EnvironmentWord&) = delete;
    EnvironmentWord& operator=(const EnvironmentWord&) = delete;
    ~EnvironmentWord() {
        if (former_) ::setenv(name_.c_str(), former_->c_str(), 1);
        if (!former_) ::unsetenv(name_.c_str());
    }

private:
    const std::string name_;
    std::optional<std::string> former_;
};

/// Of a process that is ended by `signal` under a CrashWatch.
std::string words_of_a_death(const Scenario& scenario, int signal) {
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    const Fd reading(ends[0]);
    std::optional<Fd> writing(std::in_place, ends[1]);
    std::fflush(nullptr);
    const pid_t child = ::fork();
    if (child == 0) {
        ::dup2(writing->get(), STDOUT_FILENO);
        ::dup2(writing->get(), STDERR_FILENO);
        const CrashWatch watch(scenario);
        ::raise(signal);
    }
    REQUIRE(child > 0);
    writing.reset();
    std::string words;
    char piece[1000];
    for (ssize_t got; (got = ::read(reading.get(), piece, sizeof piece)) > 0;)
        words.append(piece, static_cast<std::size_t>(got));
    ::waitpid(child, nullptr, 0);
    return words;
}

}  // namespace

TEST_CASE("sim trouble: every errno that an open may return comes, and none that would be a lie") {
    std::set<std::int64_t> results;
    SimRing ring({.any_errno_probability = 0.5});
    make_files(ring, 1);
    for (int i = 0; i < 2000; ++i) {
        const std::int64_t opened =
            ask(ring, Request::open(AT_FDCWD, folder, Request::Open::directory));
        results.insert(std::min<std::int64_t>(opened, 0));
        if (opened > 0) ring.close(static_cast<int>(opened));
    }
    CHECK(results.size() == errnos_of(Request::Kind::open).size() + 1);
    CHECK_FALSE(results.contains(-ENOENT));
    ring.calm();
    CHECK(
        ask_for_handle(ring, Request::open(AT_FDCWD, folder, Request::Open::directory)).is_open());
}

TEST_CASE("sim trouble: what is late completes all the same, after its time, cancelled or not") {
    SimRing ring({.late_probability = 1, .late_max = std::chrono::seconds(10)});
    make_files(ring, 1);
    const Handle directory = open_directory(ring, folder);
    const Instant begun = ring.now();
    Operation operation(Request::sync(directory.get()));
    bool has_completed = false;
    operation.context = &has_completed;
    operation.on_complete = [](Operation& done) { *static_cast<bool*>(done.context) = true; };
    ring.submit(operation);
    ring.cancel(operation);
    CHECK(ring.settle());
    CHECK_FALSE(has_completed);
    CHECK(ring.run_until_idle());
    CHECK(has_completed);
    CHECK(operation.result == 0);
    CHECK(ring.now() > begun);
    CHECK(ring.now() < begun + std::chrono::seconds(10));
}

TEST_CASE("sim trouble: a listing in parts skips or repeats what is renamed, and nothing else") {
    bool has_skipped = false;
    bool has_repeated = false;
    for (std::uint64_t seed = 1; seed <= 300; ++seed) {
        SimRing ring({.seed = seed, .listings_in_parts = true});
        make_files(ring, 12);
        const Handle directory = open_directory(ring, folder);
        DirectoryListing listing;
        Task<std::int64_t> task =
            result_of(ring, Request::list_directory(directory.get(), listing));
        task.start(ignore_end, nullptr);
        ring.turn();
        const int other = 100 + static_cast<int>(seed);
        if (!task.is_done()) ring.files().rename(path_of(0), path_of(other));
        REQUIRE(ring.settle());
        std::multiset<std::string> names;
        for (const DirectoryListing::Entry& entry : listing.entries())
            names.emplace(entry.name);
        for (int file = 1; file < 12; ++file) CHECK(names.count(std::to_string(file)) == 1);
        const std::size_t renamed = names.count("0") + names.count(std::to_string(other));
        has_skipped = has_skipped || renamed == 0;
        has_repeated = has_repeated || renamed == 2;
    }
    CHECK(has_skipped);
    CHECK(has_repeated);
}

TEST_CASE("sim trouble: a file read in parts may be of two contents; a short read is one of them") {
    bool has_mixed = false;
    for (std::uint64_t seed = 1; seed <= 100; ++seed) {
        SimRing ring({.seed = seed, .torn_reads = true});
        make_files(ring, 0);
        ring.files().write_file(path_of(0), std::string(100, 'a'));
        const Handle directory = open_directory(ring, folder);
        const Handle file =
            ask_for_handle(ring, Request::open(directory.get(), "0", Request::Open::file));
        std::string text(100, '\0');
        Task<std::int64_t> task = result_of(ring, Request::read(file.get(), text, 0));
        task.start(ignore_end, nullptr);
        ring.turn();
        ring.files().overwrite_file(path_of(0), std::string(100, 'b'));
        REQUIRE(ring.settle());
        CHECK(task.take() == 100);
        CHECK(text ==
              std::string(static_cast<std::size_t>(std::ranges::count(text, 'a')), 'a') +
                  std::string(static_cast<std::size_t>(std::ranges::count(text, 'b')), 'b'));
        has_mixed = has_mixed || (text.front() == 'a' && text.back() == 'b');
    }
    CHECK(has_mixed);
    SimRing ring({.short_file_probability = 1});
    make_files(ring, 1);
    const Handle directory = open_directory(ring, folder);
    const Handle file =
        ask_for_handle(ring, Request::open(directory.get(), "0", Request::Open::file));
    std::string text(4, '\0');
    CHECK(ask(ring, Request::read(file.get(), text, 0)) < 4);
}

TEST_CASE(
    "sim trouble: across a split nothing passes, neither octets nor an end; healed, all of it") {
    SimRing ring({.short_reads = false});
    Link link(ring);
    link.client.split();
    link.client.send("NOOP\r\n");
    link.client.finish();
    std::string got;
    Task<std::int64_t> receive = result_of(
        ring, Request::receive(link.socket.get()).until(ring.now() + std::chrono::hours(1)));
    receive.start(ignore_end, nullptr);
    CHECK(ask(ring, Request::send(link.socket.get(), std::string_view("+OK\r\n"), false)) == 5);
    CHECK(ask(ring, Request::shutdown(link.socket.get())) == 0);
    CHECK(ring.settle());
    CHECK_FALSE(receive.is_done());
    CHECK(link.client.received().empty());
    CHECK_FALSE(link.client.has_server_closed());
    link.client.heal();
    CHECK(ring.settle());
    REQUIRE(receive.is_done());
    CHECK(receive.take() == 6);
    CHECK(link.client.received() == "+OK\r\n");
    CHECK(link.client.has_server_closed());
}

TEST_CASE("sim trouble: a connection is reset after any number of octets") {
    for (std::uint64_t octets = 1; octets <= 20; ++octets) {
        SimRing ring({.short_reads = false});
        Link link(ring);
        link.client.reset_after(octets);
        ask(ring,
            Request::send(link.socket.get(), std::string_view("0123456789012345678901"), false));
        CHECK(link.client.received().size() == octets);
        CHECK(link.client.was_reset());
        CHECK(ask(ring, Request::receive(link.socket.get())) == -ECONNRESET);
    }
}

TEST_CASE("sim trouble: a power cut may undo a lazy rename, unless either folder was synced") {
    bool was_undone = false;
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
        const bool is_synced = seed % 2 == 0;
        SimClock clock;
        SimRandom random(seed);
        SimFileSystem files(clock, {.reuse_inodes = false, .lazy_changes = true});
        files.make_directory("/new");
        files.make_directory("/cur");
        files.write_file("/new/0", "text");
        files.rename("/new/0", "/cur/0:2,S");
        if (is_synced) CHECK(files.sync(files.find(seed % 4 == 0 ? "/new" : "/cur")) == 0);
        files.stop();
        files.restore_power(random);
        const bool is_back = files.exists("/new/0");
        CHECK(is_back != files.exists("/cur/0:2,S"));
        if (is_synced) CHECK_FALSE(is_back);
        was_undone = was_undone || is_back;
    }
    CHECK(was_undone);
}

TEST_CASE(
    "sim trouble: a power cut may undo a lazy unlink and a lazy replacement, the last first") {
    std::set<std::string> left;
    for (std::uint64_t seed = 1; seed <= 60; ++seed) {
        SimClock clock;
        SimRandom random(seed);
        SimFileSystem files(clock, {.reuse_inodes = false, .lazy_changes = true});
        files.make_directory("/tmp");
        files.make_directory("/cur");
        files.write_file("/cur/0", "first");
        files.write_file("/tmp/0", "second");
        files.rename("/tmp/0", "/cur/0");
        if (seed % 3 == 1) CHECK(files.sync(files.find("/cur")) == 0);
        if (seed % 3 == 2) clock.advance(std::chrono::minutes(1));
        files.unlink("/cur/0");
        files.stop();
        files.restore_power(random);
        const std::string text = files.exists("/cur/0") ? files.read_file("/cur/0") : "none";
        if (seed % 3 > 0) CHECK(text != "first");
        left.insert(text);
    }
    CHECK(left == std::set<std::string>{"first", "none", "second"});
}

TEST_CASE("scenario: its words are read back as they were written") {
    for (std::uint64_t seed = 1; seed <= 50; ++seed) {
        const TroubleSet trouble = Scenario::of_seed(seed).trouble;
        const std::optional<TroubleSet> read = TroubleSet::parse(trouble.text());
        REQUIRE(read.has_value());
        CHECK(read->text() == trouble.text());
    }
    CHECK(TroubleSet::parse("none")->text() == "none");
    CHECK_FALSE(TroubleSet::parse("gremlins").has_value());
}

TEST_CASE("scenario: the words of a replay command make the very scenario, in this very program") {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        Scenario scenario = Scenario::of_seed(seed);
        scenario.users = static_cast<std::uint32_t>(seed);
        scenario.trouble.set(Trouble::power, !scenario.has(Trouble::power));
        std::istringstream words(replay_command(scenario));
        std::list<EnvironmentWord> environment;
        std::string word;
        while (words >> word && word.find('=') != std::string::npos) environment.emplace_back(word);
        Scenario again = Scenario::of_seed(environment_number("RESTANTE_SIM_SEED", 0));
        again.obey_environment();
        CHECK(again == scenario);
        CHECK(std::filesystem::equivalent(word, "/proc/self/exe"));
    }
}

TEST_CASE("scenario: what ends by a signal is executed anew, as sanitizers were told to run it") {
    const Scenario scenario{.seed = 5};
    const std::string options = "ASAN_OPTIONS=detect_leaks=1";
    const EnvironmentWord word(options);
    CHECK(std::ranges::count(environment_anew(scenario), options) == 1);
    for (const int signal : {SIGABRT, SIGALRM}) {  // SIGALRM: it does not come to an end
        const std::string said = words_of_a_death(scenario, signal);
        CHECK(said.starts_with("replay: RESTANTE_SIM_SEED=5 RESTANTE_SIM_USERS=1 "));
        CHECK(said.find("it failed, but does not in a process of its own") != std::string::npos);
    }
}

TEST_CASE("pop3 model: TOP is the headers, the blank line and so many lines") {
    const std::string text = "A: b\r\nC: d\r\n\r\none\r\ntwo\r\n";
    CHECK(top_of(text, 0) == "A: b\r\nC: d\r\n\r\n");
    CHECK(top_of(text, 1) == "A: b\r\nC: d\r\n\r\none\r\n");
    CHECK(top_of(text, 9) == text);
    CHECK(top_of("\r\none\r\n", 0) == "\r\n");
    CHECK(top_of("no blank line\r\n", 0) == "no blank line\r\n");
    CHECK(top_of("", 3).empty());
}

}  // namespace restante::sim
