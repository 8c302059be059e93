#include "cli/app.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <string_view>

#include "base/log.h"
#include "base/nearest_name.h"
#include "base/version.h"
#include "cli/command_options.h"
#include "cli/commands.h"

namespace restante {
namespace {

constexpr const char* examples =
    "Try it:\n"
    "  restante demo                            sample mail on 127.0.0.1:1110; says what to type\n"
    "\n"
    "Set it up, in /etc/restante/restante.toml:\n"
    "  [listener.pop3]\n"
    "  address = [\"127.0.0.1:110\"]\n"
    "  [storage]\n"
    "  maildir = \"/var/vmail/{user}\"            # read and removed as [storage] user, \"vmail\"\n"
    "  [auth]\n"
    "  allow_cleartext = true                   # this version has no TLS\n"
    "  [auth.backend.local]\n"
    "  type = \"passwd-file\"\n"
    "  path = \"users\"                           # beside this file\n"
    "\n"
    "Then:\n"
    "  restante passwd add mrose@example.org    a user; asks for the password\n"
    "  restante check-config                    every mistake, with line and column\n"
    "  restante serve                           in the foreground, until SIGTERM or Ctrl-C\n";

/// Shorthands that stand where a command does.
struct Alias {
    std::string_view typed;
    std::string_view command;
};
constexpr Alias aliases[] = {
    {"-t", "check-config"}, {"--version", "version"}, {"-V", "version"}, {"help", "--help"}};

std::string root_help(const CLI::App& app) {
    constexpr std::size_t name_columns = 14;  // the longest and two
    std::string help = "restante " + std::string(version) + ", a POP3 server\n\n" + examples;
    help += "\nCommands (restante COMMAND --help says more):\n";
    for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
        const std::string description = command->get_description();
        std::string name = command->get_name();
        name.resize(std::max(name.size(), name_columns), ' ');
        help += "  " + name + description.substr(0, description.find('\n')) + '\n';
    }
    return help + "\nExit: 0 ok, 1 failed, 2 configuration or usage, 3 server not running.\n";
}

/// The subcommand that was being read when parsing ended; `app` itself where none was.
const CLI::App& innermost(const CLI::App& app) {
    const CLI::App* current = &app;
    while (!current->get_subcommands().empty()) current = current->get_subcommands().front();
    return *current;
}

/// "restante passwd add".
std::string full_name(const CLI::App& command) {
    const CLI::App* parent = command.get_parent();
    if (parent == nullptr) return command.get_name();
    return full_name(*parent) + ' ' + command.get_name();
}

/// What could stand where `typed` does.
std::vector<std::string> names_in_place_of(std::string_view typed, const CLI::App& command) {
    std::vector<std::string> names;
    if (!typed.starts_with('-')) {
        for (const CLI::App* known :
             command.get_subcommands([](const CLI::App*) { return true; })) {
            names.push_back(known->get_name());
        }
        return names;
    }
    for (const CLI::Option* option : command.get_options()) {
        for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    }
    return names;
}

/// Of an argument that nothing takes.
std::string unknown_argument(const std::string& typed, const CLI::App& command) {
    const std::vector<std::string> names = names_in_place_of(typed, command);
    const std::vector<std::string_view> candidates(names.begin(), names.end());
    const bool is_option = typed.starts_with('-');
    const std::string_view kind = is_option       ? "unknown option"
                                  : names.empty() ? "unexpected argument"
                                                  : "unknown command";
    std::string sentence = std::string(kind) + " \"" + log_escaped(typed) + '"';
    const std::string_view nearest = nearest_name(typed.substr(0, typed.find('=')), candidates);
    if (!nearest.empty()) sentence += "; did you mean \"" + std::string(nearest) + "\"?";
    return sentence;
}

int usage_error(const CLI::App& app, const CLI::ParseError& error) {
    const CLI::App& command = innermost(app);
    const std::string name = full_name(command);
    const std::vector<std::string> unread = app.remaining(true);
    const std::string sentence =
        unread.empty() ? std::string(error.what()) : unknown_argument(unread.front(), command);
    std::fprintf(stderr, "%s: %s\n%s --help shows how it is used.\n", name.c_str(),
                 sentence.c_str(), name.c_str());
    return exit_usage;
}

/// Whether all that was printed got out; a full disk or a closed pipe must not look like success.
bool flush_output() {
    if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return true;
    std::fprintf(stderr, "restante: cannot write to standard output: %s\n", strerrordesc_np(errno));
    return false;
}

/// In CLI11's order: the last first, without the program's name.
std::vector<std::string> for_parsing(const std::vector<std::string>& arguments) {
    std::vector<std::string> reversed(arguments.rbegin(), arguments.rend() - 1);
    for (const Alias& alias : aliases) {
        if (reversed.back() == alias.typed) reversed.back() = alias.command;
    }
    return reversed;
}

int run(CLI::App& app, const std::vector<std::string>& arguments, const int& exit_code) {
    try {
        app.parse(for_parsing(arguments));
        return exit_code;
    } catch (const CLI::CallForHelp&) {
        std::fputs(app.help().c_str(), stdout);
        return exit_ok;
    } catch (const CLI::ParseError& error) {
        return usage_error(app, error);
    }
}

}  // namespace

int run_command_line(const std::vector<std::string>& arguments) {
    try {
        CLI::App app("", "restante");
        int exit_code = exit_ok;
        add_commands(app, exit_code);
        app.require_subcommand(1);
        // After the subcommands, which inherit what is set before.
        app.formatter_fn(
            [&app](const CLI::App*, std::string, CLI::AppFormatMode) { return root_help(app); });
        if (arguments.size() < 2) {  // nothing was done: not a success, so help goes to stderr
            std::fputs(root_help(app).c_str(), stderr);
            return exit_usage;
        }
        const int code = run(app, arguments, exit_code);
        return flush_output() || code != exit_ok ? code : exit_failed;
    } catch (const std::exception& cause) {
        std::fprintf(stderr, "restante: %s\n", cause.what());
        return exit_failed;
    }
}

}  // namespace restante
