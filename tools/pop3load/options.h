#pragma once
/// What the command line asks of a run (pop3load run); command_line.cc fills it.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace pop3load {

using Duration = std::chrono::nanoseconds;

enum class TlsMode : std::uint8_t { none, starttls, implicit };
enum class LoginMethod : std::uint8_t { user_pass, apop, auth_plain };
enum class Arrivals : std::uint8_t { poisson, fixed };

struct Options {
    std::string command_line;  ///< as typed but for the password, for the reports

    // Target.
    std::string host = "127.0.0.1";
    std::uint16_t port = 110;
    std::vector<std::string> source_addresses;  ///< taken in turn; empty: the kernel's choice
    TlsMode tls = TlsMode::none;
    double tls_resumed_share = 0;  ///< 0 to 1: of the TLS sessions, how many resume

    // Users: `user_format` with {} for 0 to user_count - 1, or a file of "name password" lines.
    std::string user_format = "user{}";
    std::uint32_t user_count = 1000;
    std::string password = "secret";
    std::string users_file;
    LoginMethod login = LoginMethod::user_pass;

    // Load.
    std::string profile = "poll";
    std::optional<double> rate;                ///< open model: sessions a second
    std::optional<std::uint32_t> connections;  ///< closed model
    Arrivals arrivals = Arrivals::poisson;
    Duration duration = std::chrono::seconds(10);
    Duration warm_up = std::chrono::seconds(1);
    Duration think{};  ///< mean, before each command; exponential
    Duration timeout = std::chrono::seconds(30);
    bool pipelined = false;
    double delete_share = 0;            ///< of the messages that drain and slow fetch: DELE
    double new_share = 0.15;            ///< leave-on-server: sessions for which the last is new
    std::uint32_t pipeline_depth = 64;  ///< commands sent ahead at most
    std::uint32_t top_lines = 0;
    double wrong_password_share = 0;           ///< login-storm
    std::uint32_t in_flight_max = 10000;       ///< sessions at once, open model
    std::uint64_t commands_per_session = 100;  ///< noop, keep: before QUIT
    double verify_share = 0.01;                ///< of the messages that are hashed
    bool verify_strictly = false;              ///< a message without the seeder's mark is wrong
    std::uint64_t seed = 1;
    std::uint32_t threads = 0;  ///< 0: one a core

    // What is said of it.
    std::optional<int> server_pid;
    std::string server_cgroup;
    std::string json_path;
    std::string csv_path;
    std::string hgrm_path;
    std::string html_path;
    bool quiet = false;
    std::vector<std::string> thresholds;  ///< "p99<50ms": each must hold, or exit 1
    std::string find_max;                 ///< thresholds the highest rate is searched under
    std::vector<double> stages;           ///< shares of the rate: 0.8, 1.0, 1.2
};

}  // namespace pop3load
