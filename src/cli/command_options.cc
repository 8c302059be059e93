#include "cli/command_options.h"

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "auth/password_scheme.h"
#include "cli/commands.h"
#include "server/config.h"

namespace restante {
namespace {

std::shared_ptr<std::string> add_config_option(CLI::App& command) {
    const auto path = std::make_shared<std::string>(default_config_path);
    command.add_option("--config", *path, "The configuration file")->capture_default_str();
    return path;
}

void add_demo_command(CLI::App& app, int& exit_code) {
    CLI::App* command = app.add_subcommand(
        "demo",
        "Serve sample mail from a temporary maildrop, to try restante without configuring it\n\n"
        "Examples:\n"
        "  restante demo                           on 127.0.0.1:1110, TLS on 1995; prints a "
        "password and what to type\n"
        "  restante demo --port 2110 --tls-port 2995\n");
    const auto ports = std::make_shared<DemoPorts>();
    command->add_option("--port", ports->pop3, "The port on 127.0.0.1, with STLS")
        ->capture_default_str()
        ->check(CLI::Range(1, 65535));
    command->add_option("--tls-port", ports->pop3s, "The port with TLS from the first octet")
        ->capture_default_str()
        ->check(CLI::Range(1, 65535));
    command->callback([ports, &exit_code] { exit_code = demo(*ports); });
}

void add_serve_command(CLI::App& app, int& exit_code) {
    CLI::App* command = app.add_subcommand(
        "serve",
        "Serve mail, in the foreground, until SIGTERM or Ctrl-C\n\n"
        "Examples:\n"
        "  restante serve                          with /etc/restante/restante.toml\n"
        "  restante serve --config ./restante.toml\n"
        "  restante check-config                   what serve would say of the file\n");
    const auto path = add_config_option(*command);
    command->callback([path, &exit_code] { exit_code = serve(*path); });
}

void add_check_config_command(CLI::App& app, int& exit_code) {
    CLI::App* command = app.add_subcommand(
        "check-config",
        "Check the configuration file (-t): every mistake, with line and column\n\n"
        "Examples:\n"
        "  restante check-config                   of /etc/restante/restante.toml\n"
        "  restante -t --config ./restante.toml    the same of another file\n");
    const auto path = add_config_option(*command);
    command->callback([path, &exit_code] { exit_code = check_config(*path); });
}

void add_config_command(CLI::App& app, int& exit_code) {
    CLI::App* command = app.add_subcommand(
        "config",
        "Show what the configuration file changes from the defaults, as TOML\n\n"
        "Examples:\n"
        "  restante config                         of /etc/restante/restante.toml\n"
        "  restante config --all                   every key, with its meaning\n");
    const auto path = add_config_option(*command);
    const auto all = std::make_shared<bool>(false);
    command->add_flag("--all", *all, "Every key, with its meaning");
    command->callback([path, all, &exit_code] { exit_code = show_config(*path, *all); });
}

void add_doctor_command(CLI::App& app, int& exit_code) {
    CLI::App* command = app.add_subcommand(
        "doctor",
        "Say what would keep a server from serving well or safely, and the cure\n\n"
        "Examples:\n"
        "  sudo restante doctor                    as root: all that a start as root does\n"
        "  sudo -u vmail restante doctor           as the service's user\n"
        "  restante doctor --json\n");
    const auto path = add_config_option(*command);
    const auto json = std::make_shared<bool>(false);
    command->add_flag("--json", *json, "as a JSON array");
    command->callback([path, json, &exit_code] { exit_code = doctor(*path, *json); });
}

constexpr const char* passwd_description =
    "Manage the users of a passwd-file\n\n"
    "Examples:\n"
    "  restante passwd add mrose@example.org      asks for the password\n"
    "  restante passwd set --file users mrose     another password, in the file named\n"
    "  printf '%s' \"$SECRET\" | restante passwd add mrose\n"
    "  restante passwd verify mrose               exit 0: it is the password, 1: it is not\n"
    "  restante passwd list --json\n\n"
    "The file is that of [auth.backend] in the configuration, or --file. It is replaced as a "
    "whole;\n"
    "a running server reads it at the next login.\n";

/// An action of `passwd`, with the options that name the file.
CLI::App* add_action(CLI::App& passwd, PasswdOptions& options, const char* name,
                     const char* description) {
    CLI::App* action = passwd.add_subcommand(name, description);
    CLI::Option* config =
        action->add_option("--config", options.config, "configuration that names the passwd-file");
    config->capture_default_str();
    action->add_option("--file", options.file, "the passwd-file itself")->excludes(config);
    return action;
}

void add_passwd_command(CLI::App& app, int& exit_code) {
    const auto options = std::make_shared<PasswdOptions>();
    options->config = default_config_path;
    options->scheme = default_password_scheme;
    CLI::App* passwd = app.add_subcommand("passwd", passwd_description);
    passwd->require_subcommand(1);
    struct {
        const char* name;
        const char* description;
        PasswdAction action;
        bool stores_password;
    } const actions[] = {
        {"add", "add a user", PasswdAction::add, true},
        {"set", "give a user another password", PasswdAction::set, true},
        {"del", "remove a user", PasswdAction::remove, false},
        {"verify", "tell whether a password is a user's", PasswdAction::verify, false},
    };
    for (const auto& [name, description, action, stores_password] : actions) {
        CLI::App* command = add_action(*passwd, *options, name, description);
        command->add_option("USER", options->user)->required();
        if (stores_password) {
            command
                ->add_option("--scheme", options->scheme,
                             "how to store the password (restante hash --list)")
                ->capture_default_str();
        }
        command->callback(
            [options, chosen = action, &exit_code] { exit_code = edit_passwd(*options, chosen); });
    }
    CLI::App* list =
        add_action(*passwd, *options, "list", "print the users, never their passwords");
    list->add_flag("--json", options->json, "as a JSON array");
    list->callback([options, &exit_code] { exit_code = list_passwd(*options); });
}

void add_hash_command(CLI::App& app, int& exit_code) {
    CLI::App* command = app.add_subcommand(
        "hash",
        "Print {SCHEME}hash of a password, for a passwd-file or another user database\n\n"
        "Examples:\n"
        "  restante hash                           ask for a password\n"
        "  restante hash --scheme ARGON2ID         with another scheme\n"
        "  printf '%s' \"$SECRET\" | restante hash   from standard input\n"
        "  restante hash --list                    every scheme\n");
    const auto scheme = std::make_shared<std::string>(default_password_scheme);
    const auto list = std::make_shared<bool>(false);
    command->add_option("--scheme", *scheme, "how to store it")->capture_default_str();
    command->add_flag("--list", *list, "print the names of the schemes");
    command->callback(
        [scheme, list, &exit_code] { exit_code = *list ? print_schemes() : print_hash(*scheme); });
}

void add_version_command(CLI::App& app, int& exit_code) {
    CLI::App* command = app.add_subcommand("version", "Print the version (--version, -V)");
    command->callback([&exit_code] { exit_code = print_version(); });
}

}  // namespace

void add_commands(CLI::App& app, int& exit_code) {
    add_demo_command(app, exit_code);
    add_serve_command(app, exit_code);
    add_check_config_command(app, exit_code);
    add_config_command(app, exit_code);
    add_doctor_command(app, exit_code);
    add_passwd_command(app, exit_code);
    add_hash_command(app, exit_code);
    add_version_command(app, exit_code);
}

}  // namespace restante
