// The same operations, drawn from the same seed, on both rings of the real kernel: each result and
// each octet that was received or that arrived must be the same. RESTANTE_RING_SEEDS: how many.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "ring/mapping.h"
#include "unit/kernel_script_world.h"

namespace restante {
namespace {

constexpr std::size_t steps_a_seed = 300;
constexpr std::uint64_t seeds_default = 6;
/// What is in memory the kernel may let go of, or miscount (delivery in ARCHITECTURE.md); where the
/// rings disagree by themselves, they do so each time.
constexpr int tries = 3;
constexpr Duration patience = std::chrono::seconds(20);
constexpr std::array<const char*, 7> names = {"one",    "two",  "three",        "folder",
                                              "absent", "link", "folder/inside"};

/// Operations drawn from a seed, one after the other, and what became of each.
class Script {
public:
    Script(Ring& ring, std::uint64_t seed)
        : ring_(ring),
          random_(seed),
          folder_(ring, ::open(files_.path().c_str(), O_RDONLY | O_DIRECTORY)),
          log_(ring, ::open((files_.path() / "log").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600)),
          connection_(ring) {}

    std::vector<std::string> run() {
        for (std::size_t i = 0; i < steps_a_seed; ++i) step();
        return std::move(told_);
    }

private:
    using Step = void (Script::*)();

    void step() {
        static constexpr std::array<Step, 20> steps = {
            &Script::look_at_file, &Script::read_file,
            &Script::replace,      &Script::remove,
            &Script::list,         &Script::lock,
            &Script::write_log,    &Script::offload,
            &Script::receive,      &Script::exchange,
            &Script::send,         &Script::send_file,
            &Script::end_early,    &Script::half_close,
            &Script::accept,       &Script::reset,
            &Script::look_by_path, &Script::misuse,
            &Script::sync,         &Script::wait_for_slow_work};
        (this->*steps[draw(steps.size())])();
    }
    std::size_t draw(std::size_t count) { return random_() % count; }
    std::string draw_text(std::size_t octets_max) {
        std::string text(1 + draw(octets_max), '\0');
        for (char& octet : text) octet = static_cast<char>('!' + draw(90));
        return text;
    }
    void tell(std::string line) { told_.push_back(std::move(line)); }

    /// Tried inline or not, by the seed; a file that was opened is closed again.
    std::int64_t ask(const Request& request, std::string* received = nullptr) {
        Operation operation(request);
        operation.context = received;
        operation.on_complete = [](Operation& ended) {
            auto* octets = static_cast<std::string*>(ended.context);
            if (octets == nullptr || ended.result <= 0) return;
            octets->assign(ended.received().data(), ended.received().size());
        };
        const bool is_tried = draw(2) == 0;
        if (is_tried && ring_.attempt(operation)) return operation.result;
        ring_.submit(operation);
        while (operation.in_flight) ring_.turn();
        return operation.result;
    }
    Request limited(const Request& request) const { return request.until(ring_.now() + patience); }

    /// -errno, or what is open until the step's end.
    std::int64_t open(const char* name, Request::Open what, Handle& opened) {
        const std::int64_t result = ask(Request::open(folder_.get(), name, what));
        if (result >= 0) opened = Handle(ring_, static_cast<int>(result));
        return std::min<std::int64_t>(result, 0);
    }
    void look_at_file() {
        const char* name = names[draw(names.size())];
        const std::array kinds = {Request::Open::file, Request::Open::directory,
                                  Request::Open::place};
        Handle file;
        tell(fmt::format("open {} {}", name, open(name, kinds[draw(kinds.size())], file)));
        FileStatus status;
        if (file.is_open()) {
            tell(fmt::format("status {}", ask(Request::status(file.get(), status))));
        } else {
            tell(fmt::format("status_at {}", ask(Request::status_at(folder_.get(), name, status))));
        }
        tell(shown(status));
    }
    void read_file() {
        Handle file;
        const std::int64_t opened = open(names[draw(3)], Request::Open::file, file);
        tell(fmt::format("open {}", opened));
        if (!file.is_open()) return;
        std::string target(1 + draw(200'000), '\0');
        const std::int64_t got = ask(Request::read(file.get(), target, draw(1'100'000)));
        tell(fmt::format("read {} {}", got, shown(target)));
        Mapping mapping;
        const std::int64_t mapped = ask(Request::map({file.get(), 0, 50}, mapping));
        tell(fmt::format("map {} {}", mapped, shown(mapping.octets())));
    }
    void replace() {
        const std::string content = draw_text(100'000);
        tell(fmt::format("replace {}",
                         ask(Request::replace_file(folder_.get(), names[draw(3)], content))));
        if (draw(8) == 0) tell(fmt::format("sync {}", ask(Request::sync(folder_.get()))));
    }
    void remove() {
        const char* name = names[draw(names.size())];
        FileStatus status;
        ask(Request::status_at(folder_.get(), name, status));
        const std::uint64_t inode = status.inode + (draw(3) == 0 ? 1 : 0);
        std::vector<Removal> removals = {{folder_.get(), name, status.device, inode}};
        tell(fmt::format("remove {} {} {}", name, ask(Request::remove(removals)),
                         removals[0].result));
    }
    void list() {
        DirectoryListing listing;
        tell(fmt::format("list {}", ask(Request::list_directory(folder_.get(), listing))));
        std::set<std::string> entries;
        for (const DirectoryListing::Entry& entry : listing.entries()) {
            entries.insert(fmt::format("{} {}", entry.name, static_cast<int>(entry.kind)));
        }
        for (const std::string& entry : entries) tell(entry);
    }
    void lock() {
        const Handle again(ring_, ::open(files_.path().c_str(), O_RDONLY | O_DIRECTORY));
        const bool is_twice = draw(2) == 0;
        Handle third(ring_, ::open(files_.path().c_str(), O_RDONLY | O_DIRECTORY));
        tell(fmt::format("lock {}", ask(Request::lock(again.get()))));
        if (is_twice) tell(fmt::format("lock {}", ask(Request::lock(third.get()))));
    }
    void write_log() {
        const std::string lines = draw_text(20'000);
        tell(fmt::format("write {}", ask(limited(Request::write(log_.get(), lines)))));
        std::ifstream log(files_.path() / "log", std::ios::binary);
        const std::string content(std::istreambuf_iterator<char>(log), {});
        tell(shown(content));
    }
    void offload() {
        struct Count final : Work {
            void run() override { ++count; }
            int count = 0;
        } work;
        tell(fmt::format("offload {}", ask(Request::offload(HelperKind::hashing, work))));
        tell(fmt::format("counted {}", work.count));
    }

    /// The far end says this much.
    void say(std::size_t octets_max) {
        const std::string text = draw_text(octets_max);
        REQUIRE(::send(connection_.far.get(), text.data(), text.size(), MSG_NOSIGNAL) ==
                static_cast<ssize_t>(text.size()));
        said_ += text.size();
    }
    /// The far end reads this much.
    void hear(std::int64_t octets) {
        std::string heard(static_cast<std::size_t>(std::max<std::int64_t>(octets, 0)), '\0');
        const ssize_t got = ::recv(connection_.far.get(), heard.data(), heard.size(), MSG_WAITALL);
        tell(fmt::format("heard {} {}", octets > 0 ? got : 0, shown(heard)));
    }
    void receive() {
        say(8000);
        while (said_ > 0) {
            std::string octets;
            const std::int64_t got =
                ask(limited(Request::receive(connection_.near.get())), &octets);
            tell(fmt::format("receive {} {}", got, shown(octets)));
            REQUIRE(got > 0);
            said_ -= static_cast<std::size_t>(got);
        }
    }
    void exchange() {
        const std::string reply = draw_text(9000);
        say(2000);
        std::string octets;
        const std::int64_t got =
            ask(limited(Request::exchange(connection_.near.get(), reply)), &octets);
        tell(fmt::format("exchange {} {}", got, shown(octets)));
        said_ = 0;
        hear(static_cast<std::int64_t>(reply.size()));
    }
    /// What is sent is read by another thread meanwhile: more than all buffers hold.
    std::int64_t send_to_reader(const Request& request, std::size_t octets) {
        std::string heard(octets, '\0');
        std::size_t count = 0;
        std::thread reader([&] {
            while (count < octets) {
                const ssize_t got =
                    ::recv(connection_.far.get(), heard.data() + count, octets - count, 0);
                if (got <= 0) return;
                count += static_cast<std::size_t>(got);
            }
        });
        const std::int64_t sent = ask(limited(request));
        if (sent < static_cast<std::int64_t>(octets)) {  // the reader is told that this is all
            connection_ = Connection(ring_);
        }
        reader.join();
        heard.resize(count);
        tell(fmt::format("sent {} {}", sent, shown(heard)));
        return sent;
    }
    void send() {
        const std::string text = draw_text(draw(6) == 0 ? 3'000'000 : 5000);
        const int socket = connection_.near.get();
        const bool is_mapped = draw(2) == 0;
        send_to_reader(
            is_mapped ? Request::send_zero_copy(socket, text) : Request::send(socket, text, false),
            text.size());
    }
    void send_file() {
        Handle file;
        tell(fmt::format("open {}", open(names[draw(3)], Request::Open::file, file)));
        struct stat status {};
        if (!file.is_open() || ::fstat(file.get(), &status) < 0) return;
        const std::array ways = {FileSending::sendfile, FileSending::splice,
                                 FileSending::uring_splice};
        const auto octets = static_cast<std::uint64_t>(status.st_size);
        const std::uint64_t offset = draw(octets);
        const FilePart part{file.get(), offset, octets - offset};
        const bool is_held_back = draw(2) == 0;
        const int socket = connection_.near.get();
        const std::int64_t sent =
            ask(limited(Request::send_file(socket, part, ways[draw(ways.size())], is_held_back)));
        tell(fmt::format("send_file {}", sent));
        const std::string_view last = is_held_back ? "+" : "";
        if (is_held_back) ask(limited(Request::send(socket, last, false)));
        hear(sent + static_cast<std::int64_t>(last.size()));
    }
    /// By its deadline, or by a cancellation.
    void end_early() {
        const int socket = connection_.near.get();
        const bool is_cancelled = draw(2) == 0;
        const Instant end = ring_.now() + std::chrono::milliseconds(is_cancelled ? 60'000 : 10);
        const std::array requests = {Request::receive(socket), Request::exchange(socket, {}),
                                     Request::sleep()};
        Operation operation(requests[draw(requests.size())].until(end));
        operation.on_complete = [](Operation&) {};
        ring_.submit(operation);
        if (draw(2) == 0) {
            ring_.wake();
            ring_.turn();
        }
        if (is_cancelled) ring_.cancel(operation);
        while (operation.in_flight) ring_.turn();
        tell(fmt::format("ended early {}", operation.result));
    }
    void half_close() {
        ::shutdown(connection_.far.get(), SHUT_WR);
        tell(fmt::format("end {}", ask(limited(Request::receive(connection_.near.get())))));
        tell(fmt::format("end {}", ask(limited(Request::receive(connection_.near.get())))));
        const std::string last = draw_text(1000);
        tell(fmt::format("send {}",
                         ask(limited(Request::send(connection_.near.get(), last, false)))));
        tell(fmt::format("shutdown {}", ask(Request::shutdown(connection_.near.get()))));
        hear(static_cast<std::int64_t>(last.size()) + 1);
        connection_ = Connection(ring_);
    }

    void accept() {
        std::vector<Fd> listeners = *make_listeners(*SocketAddress::parse("127.0.0.1:0"), 1);
        const Handle listener(ring_, ::dup(listeners[0].get()));
        const SocketAddress address = local_address(listener.get());
        const Fd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        const bool is_there = draw(3) != 0;
        if (is_there) REQUIRE(::connect(client.get(), address.raw(), address.octets()) == 0);
        SocketAddress peer;
        SocketAddress local;
        const Duration wait = is_there ? patience : std::chrono::milliseconds(10);
        const std::int64_t accepted =
            ask(Request::accept(listener.get(), peer, &local).until(ring_.now() + wait));
        tell(fmt::format("accept {}", std::min<std::int64_t>(accepted, 0)));
        if (accepted < 0) return;
        const Handle socket(ring_, static_cast<int>(accepted));
        tell(fmt::format("ours {} theirs {}", local.text() == address.text(),
                         peer.text() == local_address(client.get()).text()));
    }
    /// The far end gives up: what follows fails, each in its way.
    void reset() {
        const linger at_once{1, 0};
        ::setsockopt(connection_.far.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        connection_.far = Fd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
        const int socket = connection_.near.get();
        pollfd until_told{socket, 0, 0};  // on a busy machine the reset comes a little later
        REQUIRE(::poll(&until_told, 1, static_cast<int>(patience / std::chrono::milliseconds(1))) ==
                1);
        const std::string text = draw_text(500);
        const std::array requests = {Request::receive(socket), Request::send(socket, text, false),
                                     Request::exchange(socket, text)};
        tell(fmt::format("lost {}", ask(limited(requests[draw(requests.size())]))));
        tell(fmt::format("lost for good {}", ask(limited(Request::send(socket, text, false)))));
        connection_ = Connection(ring_);
        said_ = 0;
    }
    /// By absolute names, and with what status() would say.
    void look_by_path() {
        const char* name = names[draw(names.size())];
        const std::string path = files_.path() / name;
        FileStatus status;
        tell(fmt::format("status_at {}", ask(Request::status_at(AT_FDCWD, path.c_str(), status))));
        tell(shown(status));
        const bool is_place = draw(2) == 0;
        const std::int64_t opened =
            ask(is_place ? Request::open_place(AT_FDCWD, path.c_str(), status)
                         : Request::open_file(folder_.get(), name, status));
        tell(fmt::format("open {} {}", std::min<std::int64_t>(opened, 0), shown(status)));
        if (opened >= 0) Handle(ring_, static_cast<int>(opened)).reset();
    }
    /// What cannot be done: a file is no directory, a directory no file.
    void misuse() {
        Handle file;
        tell(fmt::format("open {}", open("one", Request::Open::file, file)));
        std::string target(10, '\0');
        tell(fmt::format("read {}", ask(Request::read(folder_.get(), target, 0))));
        if (!file.is_open()) return;
        DirectoryListing listing;
        tell(fmt::format("list {}", ask(Request::list_directory(file.get(), listing))));
        tell(fmt::format("replace {}", ask(Request::replace_file(file.get(), "one", "octets"))));
        std::vector<Removal> removals = {{file.get(), "one", 1, 1}};
        ask(Request::remove(removals));
        tell(fmt::format("remove {}", removals[0].result));
    }
    void sync() {
        const std::string content = draw_text(3000);
        const char* name = names[draw(3)];
        tell(fmt::format("replace {}",
                         ask(Request::replace_file(folder_.get(), name, content, draw(4) == 0))));
        Handle file;
        tell(fmt::format("open {}", open(name, Request::Open::file, file)));
        if (file.is_open()) tell(fmt::format("sync {}", ask(Request::sync(file.get()))));
    }
    /// What sleeps is done before what a helper works on, and neither disturbs the other.
    void wait_for_slow_work() {
        struct Nap final : Work {
            void run() override { std::this_thread::sleep_for(std::chrono::milliseconds(3)); }
        } nap;
        Operation work(Request::offload(HelperKind::files, nap));
        work.on_complete = [](Operation&) {};
        ring_.submit(work);
        tell(fmt::format("slept {}", ask(Request::sleep().until(ring_.now()))));
        while (work.in_flight) ring_.turn();
        tell(fmt::format("worked {}", work.result));
    }

    Ring& ring_;
    std::mt19937_64 random_;
    Folder files_;
    Handle folder_;
    Handle log_;
    Connection connection_;
    std::size_t said_ = 0;  // by the far end, and not yet received
    std::vector<std::string> told_;
};

template <class Kernel>
std::vector<std::string> told_by(std::uint64_t seed) {
    HelperPool helpers(default_helper_sizes());
    const std::unique_ptr<Ring> ring = Kernel::make(helpers);
    return Script(*ring, seed).run();
}

}  // namespace

TEST_CASE("kernel rings: io_uring and epoll give the same results and octets for each operation") {
    ::signal(SIGPIPE, SIG_IGN);  // as server/signals.cc does
    const char* asked = std::getenv("RESTANTE_RING_SEEDS");
    const std::uint64_t seeds =
        asked == nullptr ? seeds_default : std::strtoull(asked, nullptr, 10);
    for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
        CAPTURE(seed);
        std::vector<std::string> expected;
        std::vector<std::string> found;
        for (int i = 0; i < tries && (i == 0 || found != expected); ++i) {
            expected = told_by<OnUring>(seed);
            found = told_by<OnEpoll>(seed);
        }
        REQUIRE(found.size() == expected.size());
        for (std::size_t i = 0; i < found.size(); ++i) REQUIRE(found[i] == expected[i]);
    }
}

}  // namespace restante
