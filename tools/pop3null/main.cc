/// pop3null: what POP3 costs when there is nothing to do. It answers every client with the same
/// canned maildrop: no user is refused, no state is kept, DELE is acknowledged and forgotten. What
/// a real server costs beyond this is what it does.

#include <fmt/format.h>
#include <getopt.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <ranges>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/decimal.h"
#include "base/descriptor_limit.h"
#include "canned_mail.h"
#include "server.h"
#include "server/signals.h"

namespace pop3null {
namespace {

constexpr std::string_view help =
    "pop3null: a POP3 server with canned answers, to measure others against\n"
    "\n"
    "    pop3null --port 11000 --messages 20 --message 3000\n"
    "\n"
    "  --port N          TCP port; 0 is any that is free\n"
    "  --address ADDRESS numeric, IPv4 or IPv6 (127.0.0.1)\n"
    "  --messages N      in the maildrop (20)\n"
    "  --message OCTETS[,OCTETS...]\n"
    "                    sizes on the wire, taken in turn (3000); or the name of a file that each\n"
    "                    of them is\n"
    "  --threads N       which share the clients, as a server's do (1); 0: one a core\n"
    "\n"
    "Every name and password is right. DELE is acknowledged and forgotten. It prints \"listening\n"
    "on ADDRESS:PORT\" when clients may come, and ends on SIGINT and SIGTERM.\n";
constexpr std::uint32_t messages_max = 1'000'000;
constexpr std::uint32_t threads_max = 256;

struct Options {
    std::optional<std::uint16_t> port;
    std::string address = "127.0.0.1";
    std::uint32_t messages = 20;
    std::string message = "3000";
    std::uint32_t threads = 1;
};

int complain(int exit_code, const std::string& sentence) {
    fmt::print(stderr, "pop3null: {}\n", sentence);
    return exit_code;
}

/// Sets the option that getopt_long(3) calls `letter`; else why it cannot be.
std::optional<std::string> set_option(Options& options, int letter, const char* value) {
    if (letter == 'a') options.address = value;
    if (letter == 'm') options.message = value;
    if (letter == 'p') {
        options.port = restante::parse_decimal<std::uint16_t>(value);
        if (!options.port) return "--port takes a number up to 65535";
    }
    if (letter == 'n') {
        const auto count = restante::parse_decimal<std::uint32_t>(value);
        if (!count || *count > messages_max) {
            return fmt::format("--messages takes a number up to {}", messages_max);
        }
        options.messages = *count;
    }
    if (letter == 't') {
        const auto count = restante::parse_decimal<std::uint32_t>(value);
        if (!count || *count > threads_max) {
            return fmt::format("--threads takes a number up to {}", threads_max);
        }
        options.threads = *count > 0 ? *count : std::max(1U, std::thread::hardware_concurrency());
    }
    return std::nullopt;
}

/// Nothing: it ends with `exit_code`, and all has been said.
std::optional<Options> parse_options(int argc, char** argv, int& exit_code) {
    static const option table[] = {{"port", required_argument, nullptr, 'p'},
                                   {"address", required_argument, nullptr, 'a'},
                                   {"messages", required_argument, nullptr, 'n'},
                                   {"message", required_argument, nullptr, 'm'},
                                   {"threads", required_argument, nullptr, 't'},
                                   {"help", no_argument, nullptr, 'h'},
                                   {nullptr, 0, nullptr, 0}};
    Options options;
    exit_code = 2;
    for (int letter = 0; (letter = ::getopt_long(argc, argv, "h", table, nullptr)) != -1;) {
        if (letter == 'h') {
            fmt::print("{}", help);
            exit_code = 0;
            return std::nullopt;
        }
        if (letter == '?') return std::nullopt;  // getopt_long(3) has complained
        const std::optional<std::string> fault = set_option(options, letter, optarg);
        if (fault) {
            complain(exit_code, *fault);
            return std::nullopt;
        }
    }
    if (optind == argc && options.port) return options;
    fmt::print(stderr, "{}", help);
    return std::nullopt;
}

/// Of "3000,250000"; nothing where that is no list of numbers.
std::optional<std::vector<std::uint64_t>> parse_sizes(std::string_view text) {
    std::vector<std::uint64_t> sizes;
    for (const auto part : std::views::split(text, ',')) {
        const auto octets = restante::parse_decimal<std::uint64_t>(std::string_view(part));
        if (!octets) return std::nullopt;
        sizes.push_back(*octets);
    }
    return sizes;
}

/// One a thread, all on one port.
std::expected<std::vector<Server>, std::string> listen(const Options& options,
                                                       const CannedMail& mail) {
    std::vector<Server> servers;
    std::uint16_t port = *options.port;
    for (std::uint32_t i = 0; i < options.threads; ++i) {
        auto server = Server::listen(mail, options.address, port, options.threads > 1);
        if (!server) return std::unexpected(server.error());
        port = server->port();
        servers.push_back(std::move(*server));
    }
    return servers;
}

/// Until `ending` is readable, each in a thread of its own; the exit code.
int serve(std::vector<Server>& servers, int ending) {
    std::atomic<int> exit_code = 0;
    const auto run = [&](Server& server) {
        const auto done = server.run(ending);
        if (!done) exit_code = complain(1, done.error());
    };
    std::vector<std::jthread> threads;
    for (std::size_t i = 1; i < servers.size(); ++i) {
        threads.emplace_back([&run, &server = servers[i]] { run(server); });
    }
    run(servers.front());
    threads.clear();  // which waits for them
    return exit_code;
}

int run(const Options& options) {
    const auto sizes = parse_sizes(options.message);
    const auto mail = sizes && !sizes->empty()
                          ? CannedMail::seeded(options.messages, *sizes)
                          : CannedMail::from_file(options.messages, options.message);
    if (!mail) return complain(1, mail.error());
    const restante::Signals signals;
    auto servers = listen(options, *mail);
    if (!servers) return complain(1, servers.error());
    const bool is_ipv6 = options.address.find(':') != std::string::npos;
    fmt::print("listening on {}{}{}:{}\n", is_ipv6 ? "[" : "", options.address, is_ipv6 ? "]" : "",
               servers->front().port());
    std::fflush(stdout);
    return serve(*servers, signals.descriptor());
}

}  // namespace
}  // namespace pop3null

int main(int argc, char** argv) {
    int exit_code = 0;
    const auto options = pop3null::parse_options(argc, argv, exit_code);
    if (!options) return exit_code;
    restante::raise_descriptor_limit();
    return pop3null::run(*options);
}
