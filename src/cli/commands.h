#pragma once
/// The subcommands of `restante`, one file each. Each function adds its subcommand to `app`; when
/// it was chosen, app.parse() runs it and leaves the program's exit code in `exit_code`, which must
/// outlive the parsing. CLI11 throws CLI::ParseError for what it cannot parse: exit 2.

#include <CLI/CLI.hpp>

namespace restante {

/// What every subcommand exits with.
inline constexpr int exit_ok = 0;
inline constexpr int exit_failed = 1;
inline constexpr int exit_usage = 2;  ///< configuration or usage
inline constexpr int exit_no_server = 3;

void add_serve_command(CLI::App& app, int& exit_code);
void add_demo_command(CLI::App& app, int& exit_code);
void add_check_config_command(CLI::App& app, int& exit_code);
void add_config_command(CLI::App& app, int& exit_code);
void add_passwd_command(CLI::App& app, int& exit_code);
void add_hash_command(CLI::App& app, int& exit_code);
void add_version_command(CLI::App& app, int& exit_code);

}  // namespace restante
