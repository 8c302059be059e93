// One message by each delivery strategy: opened, delivered through the real seam on the real ring
// over a loopback TCP connection, closed. Names are deliver/STRATEGY/FORM/SIZE: "lf" has to be
// converted, "ready" goes out as it is stored. Time is the CPU of everything but the reader: the
// reactor's and that of io_uring's workers; "wall" is seconds a message.
//
//     delivery_bench --benchmark_filter='/ready/' --benchmark_repetitions=5
//
// A filter that names 64M, or cold, adds those: a message too large for a quick look, a file that
// is read from the disk each time. A new strategy is a row of `strategies`.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include "maildir/delivery.h"
#include "maildir/file_source.h"
#include "net/listener.h"
#include "pop3/message_meter.h"
#include "ring/uring_ring.h"
#include "session/output.h"

namespace restante {
namespace {

struct StrategyRow {
    const char* name;
    DeliveryStrategy strategy;
};
constexpr StrategyRow strategies[] = {
    {"auto", DeliveryStrategy::automatic},
    {"copy", DeliveryStrategy::copy},
    {"sendfile", DeliveryStrategy::sendfile},
    {"splice", DeliveryStrategy::splice},
    {"mmap", DeliveryStrategy::mmap},
    {"mmap_zerocopy", DeliveryStrategy::mmap_zerocopy},
    {"uring_splice", DeliveryStrategy::uring_splice},
};

struct SizeRow {
    const char* name;
    std::size_t octets;
};
constexpr SizeRow sizes[] = {
    {"512", 512},        {"2k", 2 << 10},   {"4k", 4 << 10},   {"8k", 8 << 10},
    {"16k", 16 << 10},   {"32k", 32 << 10}, {"64k", 64 << 10}, {"128k", 128 << 10},
    {"512k", 512 << 10}, {"1M", 1 << 20},   {"8M", 8 << 20},
};
constexpr SizeRow large_size{"64M", 64 << 20};

enum class Form : std::uint8_t { lf, ready };
enum class Cache : std::uint8_t { warm, cold };

/// What one benchmark measures.
struct Setup {
    DeliveryStrategy strategy;
    std::size_t octets;
    Form form;
    Cache cache;
};

constexpr Duration stall_max = std::chrono::minutes(10);

/// Lines of 60 octets or so, as mail has them.
std::string message_of(std::size_t octets, Form form) {
    const std::string_view line_end = form == Form::lf ? "\n" : "\r\n";
    std::string message = "From: a@example.org" + std::string(line_end) + std::string(line_end);
    while (message.size() < octets) {
        message += "The quick brown fox jumps over the lazy dog, again and again.";
        message += line_end;
    }
    message.resize(octets - line_end.size(), 'x');
    return message += line_end;
}

/// A message in a folder of its own; removed at the end.
class MessageFile {
public:
    MessageFile(std::size_t octets, Form form) {
        char name[] = "/tmp/restante-delivery.XXXXXX";
        path_ = ::mkdtemp(name);
        directory_ = Fd(::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        const std::string message = message_of(octets, form);
        const Fd file(::openat(directory_.get(), file_name, O_CREAT | O_WRONLY, 0600));
        is_written_ = ::write(file.get(), message.data(), message.size()) ==
                      static_cast<ssize_t>(message.size());
        ::fsync(file.get());
        pop3::MessageMeter meter;
        meter.feed(message);
        measure_ = meter.finish();
    }
    ~MessageFile() {
        ::unlinkat(directory_.get(), file_name, 0);
        ::rmdir(path_.c_str());
    }
    static constexpr const char* file_name = "message";
    int directory() const { return directory_.get(); }
    bool is_written() const { return is_written_; }
    const pop3::MessageMeasure& measure() const { return measure_; }
    void forget() const {
        const Fd file(::openat(directory_.get(), file_name, O_RDONLY | O_CLOEXEC));
        ::posix_fadvise(file.get(), 0, 0, POSIX_FADV_DONTNEED);
    }

private:
    std::string path_;
    Fd directory_;
    bool is_written_ = false;
    pop3::MessageMeasure measure_;
};

double seconds_of(clockid_t clock) {
    timespec time{};
    ::clock_gettime(clock, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

/// The client: takes whatever comes, on a thread of its own, until the connection ends.
class Reader {
public:
    explicit Reader(int socket)
        : thread_([socket] {
              // MSG_TRUNC: thrown away by the kernel, so that the reader costs little (tcp(7)).
              while (::recv(socket, nullptr, std::size_t{1} << 20, MSG_TRUNC) > 0) {
              }
          }) {
        ::pthread_getcpuclockid(thread_.native_handle(), &clock_);
    }
    Reader(const Reader&) = delete;
    Reader& operator=(const Reader&) = delete;
    ~Reader() { thread_.join(); }
    double cpu_seconds() const { return seconds_of(clock_); }

private:
    std::thread thread_;
    clockid_t clock_{};
};

/// A ring and a connection of it, to a Reader.
class Connection {
public:
    explicit Connection(HelperPool& helpers) {
        ::signal(SIGPIPE, SIG_IGN);
        std::expected<std::unique_ptr<Ring>, std::string> ring = make_uring_ring(helpers, {});
        if (!ring) return;
        ring_ = std::move(*ring);
        const std::vector<Fd> listeners = *make_listeners(*SocketAddress::parse("127.0.0.1:0"), 1);
        const SocketAddress address = local_address(listeners[0].get());
        client_ = Fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        if (::connect(client_.get(), address.raw(), address.octets()) < 0) return;
        const int accepted = ::accept4(listeners[0].get(), nullptr, nullptr, SOCK_CLOEXEC);
        if (accepted < 0) return;
        stream_.emplace(Handle(*ring_, accepted));
        output_.emplace(buffers_, *stream_, stall_max);
        reader_.emplace(client_.get());
    }
    ~Connection() {
        if (stream_) stream_->close();
        // A worker of io_uring that spliced may hold the closed socket until the ring turns again.
        ::shutdown(client_.get(), SHUT_RDWR);
    }
    bool is_open() const { return reader_.has_value(); }
    Ring& ring() { return *ring_; }
    BufferPool& buffers() { return buffers_; }
    Output& output() { return *output_; }
    /// Seconds spent on sending, by whatever thread.
    double sender_seconds() const {
        return seconds_of(CLOCK_PROCESS_CPUTIME_ID) - reader_->cpu_seconds();
    }

private:
    std::unique_ptr<Ring> ring_;
    BufferPool buffers_;
    Fd client_;
    std::optional<Reader> reader_;
    std::optional<Stream> stream_;
    std::optional<Output> output_;
};

/// As a session answers RETR, without its status line.
Task<bool> send_message(Connection& connection, Delivery& delivery, const MessageFile& message) {
    FileStatus status;
    const std::int64_t opened = co_await perform(
        connection.ring(), Request::open_file(message.directory(), MessageFile::file_name, status));
    if (opened < 0) co_return false;
    FileSource source(Handle(connection.ring(), static_cast<int>(opened)), status.modified,
                      message.measure(), true);
    Result<void> sent =
        co_await delivery.deliver(source, pop3::BodyLines::all(), connection.output());
    if (sent) sent = co_await connection.output().send(false);
    co_return sent.has_value();
}

bool send_once(Connection& connection, Delivery& delivery, const MessageFile& message) {
    Task<bool> task = send_message(connection, delivery, message);
    task.start([](void*) {}, nullptr);
    while (!task.is_done()) connection.ring().turn();
    return task.take();
}

void deliver(benchmark::State& state, const Setup& setup) {
    const MessageFile message(setup.octets, setup.form);
    HelperPool helpers(default_helper_sizes());
    Connection connection(helpers);
    if (!message.is_written() || !connection.is_open())
        return state.SkipWithError("no file, no ring or no connection");
    const std::unique_ptr<Delivery> delivery =
        make_delivery(setup.strategy, connection.ring(), connection.buffers());
    double wall_seconds = 0;
    for ([[maybe_unused]] auto _ : state) {
        if (setup.cache == Cache::cold) message.forget();
        const double wall_before = seconds_of(CLOCK_MONOTONIC);
        const double before = connection.sender_seconds();
        if (!send_once(connection, *delivery, message)) return state.SkipWithError("not delivered");
        state.SetIterationTime(connection.sender_seconds() - before);
        wall_seconds += seconds_of(CLOCK_MONOTONIC) - wall_before;
    }
    state.counters["wall"] = benchmark::Counter(wall_seconds, benchmark::Counter::kAvgIterations);
    state.SetBytesProcessed(static_cast<std::int64_t>(setup.octets * state.iterations()));
}

void add(const StrategyRow& strategy, const SizeRow& size, Cache cache) {
    for (const Form form : {Form::lf, Form::ready}) {
        const std::string name = std::string("deliver/") + strategy.name +
                                 (form == Form::lf ? "/lf/" : "/ready/") + size.name +
                                 (cache == Cache::cold ? "/cold" : "");
        const Setup setup{strategy.strategy, size.octets, form, cache};
        benchmark::RegisterBenchmark(name.c_str(), deliver, setup)
            ->UseManualTime()
            ->Unit(benchmark::kMicrosecond);
    }
}

void add_all(bool has_large, bool has_cold) {
    for (const StrategyRow& strategy : strategies) {
        for (const SizeRow& size : sizes) add(strategy, size, Cache::warm);
        if (has_large) add(strategy, large_size, Cache::warm);
        if (!has_cold) continue;
        for (const SizeRow& size : sizes) add(strategy, size, Cache::cold);
    }
}

}  // namespace
}  // namespace restante

int main(int count, char** arguments) {
    bool has_large = false;
    bool has_cold = false;
    for (int i = 1; i < count; ++i) {
        const std::string_view argument = arguments[i];
        has_large = has_large || argument.find("64M") != argument.npos;
        has_cold = has_cold || argument.find("cold") != argument.npos;
    }
    benchmark::Initialize(&count, arguments);
    if (benchmark::ReportUnrecognizedArguments(count, arguments)) return 2;
    restante::add_all(has_large, has_cold);
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
    return 0;
}
