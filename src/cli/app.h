#pragma once
/// The command line: its subcommands, what --help says, what a mistake is answered with.

#include <string>
#include <vector>

namespace restante {

/// Runs what `arguments` (the program's name first) ask for and returns the exit code (commands.h).
/// Throws nothing.
int run_command_line(const std::vector<std::string>& arguments);

}  // namespace restante
