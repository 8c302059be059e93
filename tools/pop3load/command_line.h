#pragma once
/// What pop3load is told on the command line, and its --help.

namespace pop3load {

/// Runs what `argv` asks for; the exit code (exit_codes.h).
int run_command_line(int argc, char** argv);

}  // namespace pop3load
