/// `restante serve`: the server, in the foreground.

#include <cstdio>
#include <memory>
#include <string>

#include "cli/commands.h"
#include "server/config.h"
#include "server/server.h"

namespace restante {
namespace {

constexpr const char* serve_description =
    "Serve mail, in the foreground, until SIGTERM or Ctrl-C\n\n"
    "Examples:\n"
    "  restante serve                          with /etc/restante/restante.toml\n"
    "  restante serve --config ./restante.toml\n"
    "  restante check-config                   what serve would say of the file\n";

int serve(const std::string& path) {
    const std::expected<Config, ConfigErrors> config = load_config(path);
    if (!config) {
        for (const std::string& error : config.error()) std::fprintf(stderr, "%s\n", error.c_str());
        return exit_usage;
    }
    const std::expected<void, std::string> served = run_server(*config, [] {});
    if (!served) {
        std::fprintf(stderr, "restante serve: %s\n", served.error().c_str());
        return exit_failed;
    }
    return exit_ok;
}

}  // namespace

void add_serve_command(CLI::App& app, int& exit_code) {
    CLI::App* command = app.add_subcommand("serve", serve_description);
    const auto path = std::make_shared<std::string>(default_config_path);
    command->add_option("--config", *path, "The configuration file")->capture_default_str();
    command->callback([path, &exit_code] { exit_code = serve(*path); });
}

}  // namespace restante
