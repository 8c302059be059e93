// One message by each delivery strategy: opened, delivered through the real seam on the real ring
// over a loopback TCP connection, closed. Names are deliver/STRATEGY/FORM/SIZE: "lf" has to be
// converted, "ready" goes out as it is stored. Time is the CPU of everything but the reader: the
// reactor's and that of io_uring's workers; "wall" is seconds a message.
//
//     delivery_bench --benchmark_filter='/ready/' --benchmark_repetitions=5
//
// A filter that names 64M, or cold, adds those (all: both): a message too large for a quick look, a
// file that is read from the disk each time. TMPDIR says on which. The strategies are those of the
// configuration; how to see them drawn: bench/versus/README.md.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "maildir/delivery.h"
#include "maildir/file_source.h"
#include "net/listener.h"
#include "pop3/message_meter.h"
#include "ring/uring_ring.h"
#include "server/config_schema.h"
#include "session/output.h"

namespace restante {
namespace {

struct SizeRow {
    const char* name;
    std::size_t octets;
};
constexpr SizeRow sizes[] = {
    {"512", 512},        {"2k", 2 << 10},   {"4k", 4 << 10},   {"8k", 8 << 10},
    {"16k", 16 << 10},   {"32k", 32 << 10}, {"64k", 64 << 10}, {"128k", 128 << 10},
    {"512k", 512 << 10}, {"1M", 1 << 20},   {"8M", 8 << 20},   {"64M", 64 << 20},
};
constexpr std::size_t quick_octets_max = 8 << 20;

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
/// Of milliseconds: until a file has gone from the page cache.
constexpr int evictions_max = 100;

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

/// No page of it is in the page cache.
bool is_cold(int file) {
    struct stat status {};
    if (::fstat(file, &status) < 0) return false;
    const auto octets = static_cast<std::size_t>(status.st_size);
    void* const mapped = ::mmap(nullptr, octets, PROT_READ, MAP_SHARED, file, 0);
    if (mapped == MAP_FAILED) return false;
    const auto page_octets = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    std::vector<unsigned char> pages((octets + page_octets - 1) / page_octets);
    const bool is_told = ::mincore(mapped, octets, pages.data()) == 0;
    ::munmap(mapped, octets);
    const auto is_cached = [](unsigned char page) { return (page & 1) != 0; };
    return is_told && std::ranges::none_of(pages, is_cached);
}

/// What a reader has taken may wait, pages and all, for the next packet on the processor that made
/// it (kernel >= 5.19, net.core.skb_defer_max): each gets one.
void receive_on_each_processor() {
    std::thread([] {
        const Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
        const SocketAddress discard = *SocketAddress::parse("127.0.0.1:9");
        const long processors = ::sysconf(_SC_NPROCESSORS_CONF);
        for (long i = 0; i < processors; ++i) {
            cpu_set_t processor;
            CPU_ZERO(&processor);
            CPU_SET(i, &processor);
            ::sched_setaffinity(0, sizeof processor, &processor);
            ::sendto(socket.get(), "", 1, 0, discard.raw(), discard.octets());
        }
    }).join();
}

/// A message in a folder of its own, in TMPDIR; removed at the end.
class MessageFile {
public:
    MessageFile(std::size_t octets, Form form) {
        const char* folder = std::getenv("TMPDIR");
        path_ = std::string(folder == nullptr ? "/tmp" : folder) + "/restante-delivery.XXXXXX";
        if (::mkdtemp(path_.data()) == nullptr) return;
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
        if (!directory_.is_open()) return;
        ::unlinkat(directory_.get(), file_name, 0);
        ::rmdir(path_.c_str());
    }
    static constexpr const char* file_name = "message";
    int directory() const { return directory_.get(); }
    bool is_written() const { return is_written_; }
    const pop3::MessageMeasure& measure() const { return measure_; }
    /// Whether it has gone from the page cache, to its last page: what is on its way to the reader
    /// goes when that has it, and what a file system keeps in memory never.
    bool forget() const {
        const Fd file(::openat(directory_.get(), file_name, O_RDONLY | O_CLOEXEC));
        for (int i = 0; i < evictions_max; ++i) {
            ::posix_fadvise(file.get(), 0, 0, POSIX_FADV_DONTNEED);
            if (is_cold(file.get())) return true;
            receive_on_each_processor();
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
        return false;
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
        if (setup.cache == Cache::cold && !message.forget())
            return state.SkipWithError("the file does not leave the page cache: another TMPDIR?");
        const double wall_before = seconds_of(CLOCK_MONOTONIC);
        const double before = connection.sender_seconds();
        if (!send_once(connection, *delivery, message)) return state.SkipWithError("not delivered");
        state.SetIterationTime(connection.sender_seconds() - before);
        wall_seconds += seconds_of(CLOCK_MONOTONIC) - wall_before;
    }
    state.counters["wall"] = benchmark::Counter(wall_seconds, benchmark::Counter::kAvgIterations);
    state.SetBytesProcessed(static_cast<std::int64_t>(setup.octets * state.iterations()));
}

void add(std::string_view name, DeliveryStrategy strategy, const SizeRow& size, Cache cache) {
    for (const Form form : {Form::lf, Form::ready}) {
        const std::string full_name = "deliver/" + std::string(name) +
                                      (form == Form::lf ? "/lf/" : "/ready/") + size.name +
                                      (cache == Cache::cold ? "/cold" : "");
        const Setup setup{strategy, size.octets, form, cache};
        benchmark::RegisterBenchmark(full_name.c_str(), deliver, setup)
            ->UseManualTime()
            ->Unit(benchmark::kMicrosecond);
    }
}

void add_all(bool has_large, bool has_cold) {
    const std::vector<std::string_view> names =
        split_choices(find_key("delivery", "strategy")->choices);  // in the order of the enum
    for (std::size_t i = 0; i < names.size(); ++i) {
        const auto strategy = static_cast<DeliveryStrategy>(i);
        for (const SizeRow& size : sizes) {
            const bool has_warm = has_large || size.octets <= quick_octets_max;
            if (has_warm) add(names[i], strategy, size, Cache::warm);
            if (has_cold) add(names[i], strategy, size, Cache::cold);
        }
    }
}

}  // namespace
}  // namespace restante

int main(int count, char** arguments) {
    bool has_large = false;
    bool has_cold = false;
    for (int i = 1; i < count; ++i) {
        const std::string_view argument = arguments[i];
        const bool has_all = argument == "--benchmark_filter=all";
        has_large = has_large || has_all || argument.find("64M") != argument.npos;
        has_cold = has_cold || has_all || argument.find("cold") != argument.npos;
    }
    benchmark::Initialize(&count, arguments);
    if (benchmark::ReportUnrecognizedArguments(count, arguments)) return 2;
    restante::add_all(has_large, has_cold);
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
    return 0;
}
