// Files to sockets on the real kernel, by each of its rings: each FileSending, zero-copy sends, and
// whole deliveries.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "maildir/delivery.h"
#include "maildir/file_source.h"
#include "net/listener.h"
#include "ring/mapping.h"
#include "server/config_schema.h"
#include "session/output.h"
#include "unit/kernel_rings.h"

namespace restante {
namespace {

constexpr std::array all_sendings = {FileSending::sendfile, FileSending::splice,
                                     FileSending::uring_splice};
constexpr std::size_t small_window = 64 * 1024;
constexpr Duration patience = std::chrono::seconds(20);

/// What `delivery.strategy` may be, which stands in the order of the enum.
std::vector<DeliveryStrategy> all_strategies() {
    const std::size_t count = split_choices(find_key("delivery", "strategy")->choices).size();
    std::vector<DeliveryStrategy> strategies(count);
    for (std::size_t i = 0; i < count; ++i) strategies[i] = static_cast<DeliveryStrategy>(i);
    return strategies;
}

/// A file without a name, in memory until forget(): a kernel that reclaims ahead of need would let
/// go of it at any time.
class File {
public:
    explicit File(const std::string& content) {
        char name[] = "/tmp/restante-sending.XXXXXX";
        file_ = Fd(::mkstemp(name));
        ::unlink(name);
        write(content);
        const int flags = MAP_SHARED | MAP_POPULATE;
        held_ = {::mmap(nullptr, content.size(), PROT_READ, flags, get(), 0), content.size()};
        REQUIRE(held_.first != MAP_FAILED);
        ::mlock(held_.first, held_.second);
    }
    File(const File&) = delete;
    File& operator=(const File&) = delete;
    ~File() { let_go(); }
    int get() const { return file_.get(); }
    void write(const std::string& content) {
        REQUIRE(::pwrite(get(), content.data(), content.size(), 0) ==
                static_cast<ssize_t>(content.size()));
    }
    void truncate(std::size_t octets) {
        REQUIRE(::ftruncate(get(), static_cast<off_t>(octets)) == 0);
    }
    /// From `offset` on it is on the disk only; false where the file system keeps all in memory.
    bool forget(std::size_t offset) {
        let_go();
        REQUIRE(::fsync(get()) == 0);
        ::posix_fadvise(get(), 0, 0, POSIX_FADV_RANDOM);  // no read-ahead
        ::posix_fadvise(get(), static_cast<off_t>(offset), 0, POSIX_FADV_DONTNEED);
        char octet = 0;
        const iovec target{&octet, 1};
        return ::preadv2(get(), &target, 1, static_cast<off_t>(offset), RWF_NOWAIT) < 0;
    }

private:
    void let_go() {
        if (held_.second > 0) ::munmap(held_.first, std::exchange(held_.second, 0));
    }

    Fd file_;
    std::pair<void*, std::size_t> held_;  // mapped and locked
};

/// A ring and a TCP connection: `near` is the server's end.
template <class Kernel>
class Fixture {
public:
    explicit Fixture(UringOptions options = {}) {
        ::signal(SIGPIPE, SIG_IGN);  // as server/signals.cc does
        ring_ = Kernel::make(helpers_, options);
        connect(near, far);
    }
    ~Fixture() { near.reset(); }

    /// Both ends hold little that is not read.
    void connect(Handle& server, Fd& client) {
        std::vector<Fd> listeners = *make_listeners(*SocketAddress::parse("127.0.0.1:0"), 1);
        const SocketAddress address = local_address(listeners[0].get());
        client = Fd(::socket(AF_INET, SOCK_STREAM, 0));
        const int octets = small_window;
        ::setsockopt(client.get(), SOL_SOCKET, SO_RCVBUF, &octets, sizeof octets);
        const int segment = 1400;  // the loopback's own is larger than the window: TCP would stall
        ::setsockopt(client.get(), IPPROTO_TCP, TCP_MAXSEG, &segment, sizeof segment);
        REQUIRE(::connect(client.get(), address.raw(), address.octets()) == 0);
        const timeval limit{20, 0};
        ::setsockopt(client.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        const int accepted = ::accept4(listeners[0].get(), nullptr, nullptr, SOCK_CLOEXEC);
        REQUIRE(accepted >= 0);
        ::setsockopt(accepted, SOL_SOCKET, SO_SNDBUF, &octets, sizeof octets);
        server = Handle(*ring_, accepted);
    }

    Ring& ring() { return *ring_; }
    Request send_file(const File& file, const FilePart& part, FileSending sending) {
        return Request::send_file(near.get(), {file.get(), part.offset, part.octets}, sending,
                                  false)
            .until(ring_->now() + patience);
    }
    /// As sessions do it: inline where that is possible.
    std::int64_t ask(const Request& request) {
        Task<std::int64_t> task = result_of(*ring_, request, in_flight_);
        task.start([](void*) {}, nullptr);
        while (!task.is_done()) ring_->turn();
        return task.take();
    }
    /// Until a quarter of the patience has passed without an end.
    template <class T>
    bool is_stuck(const Task<T>& task, Duration duration = std::chrono::milliseconds(50)) {
        const Instant end = ring_->now() + duration;
        while (!task.is_done() && ring_->now() < end) {
            ask_sleep(std::chrono::milliseconds(5));
        }
        return !task.is_done();
    }
    void ask_sleep(Duration duration) {
        Operation sleep(Request::sleep().until(ring_->now() + duration));
        sleep.on_complete = [](Operation&) {};
        ring_->submit(sleep);
        while (sleep.in_flight) ring_->turn();
    }
    static Task<std::int64_t> result_of(Ring& ring, Request request, Operation*& in_flight) {
        const std::int64_t result = co_await perform(ring, request, in_flight);
        co_return result;
    }
    Operation*& in_flight() { return in_flight_; }
    /// No request finds the socket non-blocking: a receive waits for what comes later.
    void check_can_receive() {
        std::thread sender([this] {
            std::this_thread::sleep_for(std::chrono::milliseconds(30));
            [[maybe_unused]] const ssize_t sent = ::send(far.get(), "NOOP\r\n", 6, MSG_NOSIGNAL);
        });
        CHECK(ask(Request::receive(near.get()).until(ring_->now() + patience)) == 6);
        sender.join();
    }

    Handle near;
    Fd far;

private:
    HelperPool helpers_{default_helper_sizes()};
    std::unique_ptr<Ring> ring_;
    Operation* in_flight_ = nullptr;
};

/// Reads at the far end, on a thread of its own, up to `octets` or the end.
class Reader {
public:
    explicit Reader(int socket, std::size_t octets = SIZE_MAX)
        : thread_([this, socket, octets] {
              std::string piece(small_window, '\0');
              while (got_.size() < octets) {
                  const ssize_t got = ::recv(socket, piece.data(), piece.size(), 0);
                  if (got <= 0) break;
                  got_.append(piece, 0, static_cast<std::size_t>(got));
              }
          }) {}
    Reader(const Reader&) = delete;
    Reader& operator=(const Reader&) = delete;
    ~Reader() {
        if (thread_.joinable()) thread_.join();
    }
    const std::string& octets() {
        if (thread_.joinable()) thread_.join();
        return got_;
    }

private:
    std::string got_;
    std::thread thread_;
};

/// Numbered lines of 30 octets, each followed by `line_end`.
std::string lines(std::size_t count, std::string_view line_end) {
    std::string text;
    text.reserve(count * 32);
    for (std::size_t i = 0; i < count; ++i) {
        std::string line = "line " + std::to_string(i) + " ";
        line.resize(30, 'x');
        text += line.append(line_end);
    }
    return text;
}

/// A close that resets.
void reset(Fd& socket) {
    const linger at_once{1, 0};
    ::setsockopt(socket.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    socket = Fd();
}

/// A file as a session would have opened it.
template <class Kernel>
FileSource source_of(Fixture<Kernel>& fixture, const File& file, const std::string& content) {
    pop3::MessageMeter meter;
    meter.feed(content);
    struct stat status;
    REQUIRE(::fstat(file.get(), &status) == 0);
    const WallTime modified{status.st_mtim.tv_sec * 1'000'000'000 + status.st_mtim.tv_nsec};
    return FileSource(Handle(fixture.ring(), ::dup(file.get())), modified, meter.finish(), true);
}

/// One delivery to the far end; then the connection is closed, as after QUIT.
template <class Kernel>
class Transfer {
public:
    Transfer(Fixture<Kernel>& fixture, DeliveryStrategy strategy, MessageSource& source)
        : fixture_(fixture),
          stream_(std::move(fixture.near)),
          output_(buffers_, stream_, patience),
          delivery_(make_delivery(strategy, fixture.ring(), buffers_)),
          task_(run(source)) {
        task_.start([](void*) {}, nullptr);
    }
    bool is_stuck() { return fixture_.is_stuck(task_); }
    bool finish() {
        while (!task_.is_done()) fixture_.ring().turn();
        const bool is_sent = task_.take();
        stream_.close();
        return is_sent;
    }

private:
    Task<bool> run(MessageSource& source) {
        Result<void> sent = co_await delivery_->deliver(source, pop3::BodyLines::all(), output_);
        if (sent) sent = co_await output_.send(false);
        co_return sent.has_value();
    }

    Fixture<Kernel>& fixture_;
    BufferPool buffers_;
    Stream stream_;
    Output output_;
    std::unique_ptr<Delivery> delivery_;
    Task<bool> task_;
};

}  // namespace

TEST_CASE_TEMPLATE("a file is sent in order, from any offset, as far as it is in memory", Kernel,
                   OnUring, OnEpoll) {
    const std::string content = lines(100'000, "\n");
    const File file(content);
    for (const FileSending sending : all_sendings) {
        for (const std::size_t offset : {std::size_t{0}, std::size_t{4095}, std::size_t{12'345}}) {
            CAPTURE(static_cast<int>(sending));
            Fixture<Kernel> fixture;
            Reader reader(fixture.far.get());
            const FilePart part{0, offset, content.size() - offset - 17};
            const std::int64_t sent = fixture.ask(fixture.send_file(file, part, sending));
            WARN(sent == static_cast<std::int64_t>(part.octets));  // where it may not be locked
            REQUIRE(sent > 0);
            fixture.check_can_receive();
            fixture.near.reset();
            CHECK((reader.octets() == content.substr(offset, static_cast<std::size_t>(sent))));
        }
    }
}

TEST_CASE_TEMPLATE("where the peer does not read for a while, sending goes on once it does", Kernel,
                   OnUring, OnEpoll) {
    const std::string content = lines(100'000, "\n");
    const File file(content);
    for (const FileSending sending : all_sendings) {
        Fixture<Kernel> fixture;
        const Request request = fixture.send_file(file, {0, 0, content.size()}, sending);
        Task<std::int64_t> task =
            Fixture<Kernel>::result_of(fixture.ring(), request, fixture.in_flight());
        task.start([](void*) {}, nullptr);
        CHECK(fixture.is_stuck(task));
        Reader reader(fixture.far.get(), content.size());
        while (!task.is_done()) fixture.ring().turn();
        CHECK(task.take() == static_cast<std::int64_t>(content.size()));
        CHECK((reader.octets() == content));
        fixture.check_can_receive();
    }
}

TEST_CASE_TEMPLATE(
    "a deadline or a cancellation ends a send_file to a full socket, which stays usable", Kernel,
    OnUring, OnEpoll) {
    const std::string content = lines(200'000, "\n");
    const File file(content);
    for (const FileSending sending : all_sendings) {
        Fixture<Kernel> fixture;
        const Instant deadline = fixture.ring().now() + std::chrono::milliseconds(30);
        const Request request = fixture.send_file(file, {0, 0, content.size()}, sending);
        CHECK(fixture.ask(request.until(deadline)) == -ETIMEDOUT);
        CHECK(fixture.ring().now() >= deadline);
        Task<std::int64_t> task =
            Fixture<Kernel>::result_of(fixture.ring(), request, fixture.in_flight());
        task.start([](void*) {}, nullptr);
        REQUIRE(fixture.is_stuck(task));
        fixture.ring().cancel(*fixture.in_flight());
        while (!task.is_done()) fixture.ring().turn();
        CHECK(task.take() == -ECANCELED);
        fixture.check_can_receive();
    }
}

TEST_CASE_TEMPLATE("two sockets, one of them full, do not hold each other up", Kernel, OnUring,
                   OnEpoll) {
    const std::string content = lines(100'000, "\n");
    const File file(content);
    for (const FileSending sending : all_sendings) {
        Fixture<Kernel> fixture;
        const FilePart all{file.get(), 0, content.size()};
        Task<std::int64_t> full = Fixture<Kernel>::result_of(
            fixture.ring(), fixture.send_file(file, all, sending), fixture.in_flight());
        full.start([](void*) {}, nullptr);
        REQUIRE(fixture.is_stuck(full));
        Handle second;
        Fd second_far;
        fixture.connect(second, second_far);
        for (int i = 0; i < 3; ++i) {
            Reader reader(second_far.get(), content.size());
            const Request request = Request::send_file(second.get(), all, sending, false);
            Operation* in_flight = nullptr;
            Task<std::int64_t> task = Fixture<Kernel>::result_of(
                fixture.ring(), request.until(fixture.ring().now() + patience), in_flight);
            task.start([](void*) {}, nullptr);
            while (!task.is_done()) fixture.ring().turn();
            CHECK(task.take() == static_cast<std::int64_t>(content.size()));
            CHECK((reader.octets() == content));
        }
        CHECK_FALSE(full.is_done());
        Reader reader(fixture.far.get(), content.size());
        while (!full.is_done()) fixture.ring().turn();
        CHECK(full.take() == static_cast<std::int64_t>(content.size()));
        CHECK((reader.octets() == content));
    }
}

TEST_CASE_TEMPLATE(
    "of a file that has become shorter, what is there may be sent, and its count is told", Kernel,
    OnUring, OnEpoll) {
    const std::string content = lines(10'000, "\n");
    const File file(content);
    for (const FileSending sending : all_sendings) {
        for (const std::size_t more : {std::size_t{100}, std::size_t{1'000'000}}) {
            Fixture<Kernel> fixture;
            Reader reader(fixture.far.get());
            const FilePart part{0, 0, content.size() + more};
            const std::int64_t sent = fixture.ask(fixture.send_file(file, part, sending));
            REQUIRE(sent >= 0);
            CHECK(sent <= static_cast<std::int64_t>(content.size()));
            fixture.near.reset();
            CHECK((reader.octets() == content.substr(0, static_cast<std::size_t>(sent))));
        }
    }
}

TEST_CASE_TEMPLATE("what is not in the page cache is not sent, and not waited for", Kernel, OnUring,
                   OnEpoll) {
    const std::string content = lines(100'000, "\n");
    constexpr std::size_t cached = 1024 * 1024;
    for (const FileSending sending : {FileSending::sendfile, FileSending::splice}) {
        File file(content);
        if (!file.forget(cached)) return;  // /tmp keeps files in memory
        Fixture<Kernel> fixture;
        Reader reader(fixture.far.get());
        const FilePart all{0, 0, content.size()};
        const std::int64_t sent = fixture.ask(fixture.send_file(file, all, sending));
        CHECK(sent >= 0);
        CHECK(sent <= static_cast<std::int64_t>(cached));
        CHECK(fixture.ask(fixture.send_file(file, {0, cached, 1000}, sending)) == 0);
        fixture.near.reset();
        CHECK((reader.octets() == content.substr(0, static_cast<std::size_t>(sent))));
        Mapping mapping;
        const FilePart part{file.get(), cached, 1000};
        CHECK(fixture.ask(Request::map(part, mapping)) == 0);
    }
}

TEST_CASE_TEMPLATE("where storage may block, nothing is sent from the page cache or mapped: 0",
                   Kernel, OnUring, OnEpoll) {
    const std::string content = lines(1000, "\n");
    const File file(content);
    Fixture<Kernel> fixture({.storage_is_local = false});
    for (const FileSending sending : all_sendings) {
        CHECK(fixture.ask(fixture.send_file(file, {0, 0, content.size()}, sending)) == 0);
    }
    Mapping mapping;
    CHECK(fixture.ask(Request::map({file.get(), 0, content.size()}, mapping)) == 0);
}

TEST_CASE_TEMPLATE(
    "a peer that resets is an error to every kind of sending, not the end of the process", Kernel,
    OnUring, OnEpoll) {
    const std::string content = lines(200'000, "\n");
    const File file(content);
    for (const FileSending sending : all_sendings) {
        for (const bool is_full : {false, true}) {
            Fixture<Kernel> fixture;
            const Request request = fixture.send_file(file, {0, 0, content.size()}, sending);
            Task<std::int64_t> task =
                Fixture<Kernel>::result_of(fixture.ring(), request, fixture.in_flight());
            if (!is_full) reset(fixture.far);
            task.start([](void*) {}, nullptr);
            if (is_full) {
                REQUIRE(fixture.is_stuck(task));
                reset(fixture.far);
            }
            while (!task.is_done()) fixture.ring().turn();
            const std::int64_t result = task.take();
            CHECK((result == -ECONNRESET || result == -EPIPE));
        }
    }
}

TEST_CASE_TEMPLATE(
    "a mapping is sent from where it lies, whole, and may go once that has completed", Kernel,
    OnUring, OnEpoll) {
    const std::string content = lines(100'000, "\n");
    const File file(content);
    Fixture<Kernel> fixture;
    Reader reader(fixture.far.get(), 3 * content.size());
    for (int i = 0; i < 3; ++i) {
        Mapping mapping;
        REQUIRE(fixture.ask(Request::map({file.get(), 0, content.size()}, mapping)) > 0);
        const Request request = Request::send_zero_copy(fixture.near.get(), mapping.octets());
        CHECK(fixture.ask(request.until(fixture.ring().now() + patience)) ==
              static_cast<std::int64_t>(content.size()));
    }
    CHECK((reader.octets() == content + content + content));
    fixture.check_can_receive();
    reset(fixture.far);
    const std::int64_t result = fixture.ask(Request::send_zero_copy(fixture.near.get(), content));
    CHECK((result == -ECONNRESET || result == -EPIPE));
}

TEST_CASE_TEMPLATE("every strategy delivers the same octets to a slow client on the real kernel",
                   Kernel, OnUring, OnEpoll) {
    const std::string ready = lines(40'000, "\r\n");
    for (const std::string& content : {ready, ready + ".\r\n" + ready, lines(40'000, "\n")}) {
        const File file(content);
        std::string first;
        for (const DeliveryStrategy strategy : all_strategies()) {
            Fixture<Kernel> fixture;
            FileSource source = source_of(fixture, file, content);
            Transfer transfer(fixture, strategy, source);
            CHECK(transfer.is_stuck());
            Reader reader(fixture.far.get());
            CHECK(transfer.finish());
            if (first.empty()) first = reader.octets();
            CHECK(first.ends_with("\r\n.\r\n"));
            CHECK((reader.octets() == first));
        }
    }
}

TEST_CASE_TEMPLATE(
    "a message changed in place in mid-delivery is not ended, unless it was sent as it was", Kernel,
    OnUring, OnEpoll) {
    for (const std::string_view line_end : {"\r\n", "\n"}) {
        const std::string content = lines(40'000, line_end);
        for (const DeliveryStrategy strategy : all_strategies()) {
            for (const std::size_t left :
                 {std::size_t{0}, content.size() / 2, content.size() - 2 * (30 + line_end.size()),
                  content.size()}) {
                CAPTURE(static_cast<int>(strategy));
                CAPTURE(left);
                File file(content);
                Fixture<Kernel> fixture;
                FileSource source = source_of(fixture, file, content);
                Transfer transfer(fixture, strategy, source);
                REQUIRE(transfer.is_stuck());
                file.truncate(left);
                if (left == content.size()) file.write(std::string(content.size(), '\n'));
                Reader reader(fixture.far.get());
                const bool is_sent = transfer.finish();
                if (is_sent) CHECK((reader.octets() == lines(40'000, "\r\n") + ".\r\n"));
                if (!is_sent) CHECK_FALSE(reader.octets().ends_with("\r\n.\r\n"));
            }
        }
    }
}

}  // namespace restante
