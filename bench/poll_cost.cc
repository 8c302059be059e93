// What one poll costs a server: connect, USER, PASS, STAT, QUIT, over and over, and the server's
// CPU time per session from the kernel's accounting of its threads. As simple as a closed loop can
// be: what pop3load, which does far more, is measured against (bench/generator).
//
//     poll_cost PORT USER PASSWORD SERVER_PID SESSIONS PARALLEL

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

struct Target {
    std::uint16_t port;
    std::string user;
    std::string password;
};

/// Nanoseconds on a processor of all threads of a process; the first field of schedstat.
std::uint64_t cpu_nanoseconds(const std::string& pid) {
    std::uint64_t sum = 0;
    for (const auto& task : std::filesystem::directory_iterator("/proc/" + pid + "/task")) {
        std::uint64_t nanoseconds = 0;
        std::ifstream(task.path() / "schedstat") >> nanoseconds;
        sum += nanoseconds;
    }
    return sum;
}

bool exchange(int socket, const std::string& command, std::string_view expected) {
    if (!command.empty() && ::send(socket, command.data(), command.size(), MSG_NOSIGNAL) < 0)
        return false;
    char reply[512];
    std::size_t got = 0;
    while (got < sizeof reply && (got == 0 || reply[got - 1] != '\n')) {
        const ssize_t more = ::recv(socket, reply + got, sizeof reply - got, 0);
        if (more <= 0) return false;
        got += static_cast<std::size_t>(more);
    }
    return std::string_view(reply, got).starts_with(expected);
}

bool poll_once(const Target& target) {
    const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1;
    ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(target.port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const bool done =
        ::connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 &&
        exchange(socket, "", "+OK") && exchange(socket, "USER " + target.user + "\r\n", "+OK") &&
        exchange(socket, "PASS " + target.password + "\r\n", "+OK") &&
        exchange(socket, "STAT\r\n", "+OK ") && exchange(socket, "QUIT\r\n", "+OK");
    ::close(socket);
    return done;
}

/// How many of `sessions` went well; `{}` in the user's name becomes the number of the thread.
std::uint64_t poll(const Target& target, std::uint64_t sessions, unsigned parallel) {
    std::atomic<std::uint64_t> good{0};
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < parallel; ++i) {
        threads.emplace_back([&, i] {
            Target own = target;
            if (const auto at = own.user.find("{}"); at != std::string::npos) {
                own.user.replace(at, 2, std::to_string(i));
            }
            for (std::uint64_t n = 0; n < sessions / parallel; ++n) good += poll_once(own) ? 1 : 0;
        });
    }
    for (std::thread& thread : threads) thread.join();
    return good;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 7) {
        std::fprintf(stderr, "usage: poll_cost PORT USER PASSWORD SERVER_PID SESSIONS PARALLEL\n");
        return 2;
    }
    const Target target{static_cast<std::uint16_t>(std::atoi(argv[1])), argv[2], argv[3]};
    const auto parallel = static_cast<unsigned>(std::atoi(argv[6]));
    const std::uint64_t sessions = std::strtoull(argv[5], nullptr, 10) / parallel * parallel;
    poll(target, 10 * parallel, parallel);  // warm
    const std::uint64_t before = cpu_nanoseconds(argv[4]);
    const auto began = std::chrono::steady_clock::now();
    const std::uint64_t good = poll(target, sessions, parallel);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
    const double microseconds = static_cast<double>(cpu_nanoseconds(argv[4]) - before) / 1000;
    std::printf("%llu polls, %u at a time: %.1f us of server CPU each, %.0f polls/s\n",
                static_cast<unsigned long long>(good), parallel,
                microseconds / static_cast<double>(sessions),
                static_cast<double>(sessions) / took.count());
    return good == sessions ? 0 : 1;
}
