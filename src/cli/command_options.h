#pragma once
/// What the subcommands are called, their options and the text of their --help.

#include <CLI/CLI.hpp>

namespace restante {

/// Adds every subcommand to `app`. When one was chosen, app.parse() runs it and leaves the
/// program's exit code in `exit_code`, which must outlive the parsing. CLI11 throws CLI::ParseError
/// for what it cannot parse: exit 2.
void add_commands(CLI::App& app, int& exit_code);

}  // namespace restante
