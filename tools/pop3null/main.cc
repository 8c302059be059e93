/// pop3null: what POP3 costs when there is nothing to do. It answers every client with the same
/// canned maildrop: no user is refused, no state is kept, DELE is acknowledged and forgotten. What
/// a real server costs beyond this is what it does.

#include <fmt/format.h>
#include <getopt.h>

#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>

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
    "  --message OCTETS  size of each, on the wire (3000); or the name of a file that each of\n"
    "                    them is\n"
    "\n"
    "Every name and password is right. DELE is acknowledged and forgotten. It prints \"listening\n"
    "on ADDRESS:PORT\" when clients may come, and ends on SIGINT and SIGTERM.\n";
constexpr std::uint32_t messages_max = 1'000'000;

struct Options {
    std::optional<std::uint16_t> port;
    std::string address = "127.0.0.1";
    std::uint32_t messages = 20;
    std::string message = "3000";
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
    return std::nullopt;
}

/// Nothing: it ends with `exit_code`, and all has been said.
std::optional<Options> parse_options(int argc, char** argv, int& exit_code) {
    static const option table[] = {
        {"port", required_argument, nullptr, 'p'},     {"address", required_argument, nullptr, 'a'},
        {"messages", required_argument, nullptr, 'n'}, {"message", required_argument, nullptr, 'm'},
        {"help", no_argument, nullptr, 'h'},           {nullptr, 0, nullptr, 0}};
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

int run(const Options& options) {
    const auto octets = restante::parse_decimal<std::uint64_t>(options.message);
    const auto mail = octets ? CannedMail::seeded(options.messages, *octets)
                             : CannedMail::from_file(options.messages, options.message);
    if (!mail) return complain(1, mail.error());
    const restante::Signals signals;
    auto server = Server::listen(*mail, options.address, *options.port);
    if (!server) return complain(1, server.error());
    const bool is_ipv6 = options.address.find(':') != std::string::npos;
    fmt::print("listening on {}{}{}:{}\n", is_ipv6 ? "[" : "", options.address, is_ipv6 ? "]" : "",
               server->port());
    std::fflush(stdout);
    const auto done = server->run(signals.descriptor());
    return done ? 0 : complain(1, done.error());
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
