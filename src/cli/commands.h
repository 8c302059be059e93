#pragma once
/// The subcommands of `restante`, one file each, as functions from their options to the program's
/// exit code. What they are called on the command line, and with what help, is in
/// command_options.cc: the library that reads command lines takes seconds to compile wherever it
/// is included.

#include <cstdint>
#include <string>
#include <string_view>

namespace restante {

/// What every subcommand exits with.
inline constexpr int exit_ok = 0;
inline constexpr int exit_failed = 1;
inline constexpr int exit_usage = 2;  ///< configuration or usage
inline constexpr int exit_no_server = 3;

/// Serves the mail of the configuration file at `path` until SIGTERM or SIGINT.
int serve(const std::string& path);

/// On 127.0.0.1.
struct DemoPorts {
    std::uint16_t pop3 = 1110;
    std::uint16_t pop3s = 1995;
};

/// Serves sample mail until SIGTERM or SIGINT.
int demo(DemoPorts ports);

/// Prints every mistake in the configuration file at `path`.
int check_config(const std::string& path);

/// Says what of a server's protection is in force on this machine, and how to get the rest; as a
/// JSON array with `json`. exit_failed where a server would not start or serve nobody.
int doctor(const std::string& path, bool json);

/// Prints what the configuration file at `path` changes from the defaults; with `all`, every key.
int show_config(const std::string& path, bool all);

/// What the actions of `restante passwd` are told.
struct PasswdOptions {
    std::string config;  ///< the configuration that names the passwd-file
    std::string file;    ///< the passwd-file itself; empty: that of the configuration
    std::string scheme;  ///< of a new password
    std::string user;    ///< as typed
    bool json = false;   ///< list them as a JSON array
};
enum class PasswdAction { add, set, remove, verify };

/// Does `action` to the one user named.
int edit_passwd(const PasswdOptions& options, PasswdAction action);

/// Prints the users, never their passwords.
int list_passwd(const PasswdOptions& options);

/// Asks for a password and prints its hash by `scheme`.
int print_hash(const std::string& scheme);

/// Prints the names of the password schemes.
int print_schemes();

/// Prints what this program is and what it runs on.
int print_version();

}  // namespace restante
