/// `restante check-config`: what is wrong with the configuration file, without starting anything.

#include <cstdio>
#include <memory>
#include <string>

#include "cli/commands.h"
#include "server/config.h"

namespace restante {
namespace {

constexpr const char* check_config_description =
    "Check the configuration file (-t): every mistake, with line and column\n\n"
    "Examples:\n"
    "  restante check-config                   of /etc/restante/restante.toml\n"
    "  restante -t --config ./restante.toml    the same of another file\n";

int check_config(const std::string& path) {
    const std::expected<std::string, std::string> text = read_config_text(path);
    if (!text) {
        std::fprintf(stderr, "%s\n", text.error().c_str());
        return exit_usage;
    }
    const std::expected<Config, ConfigErrors> config = parse_config(*text, path);
    if (!config) {
        for (const std::string& error : config.error()) std::fprintf(stderr, "%s\n", error.c_str());
        const std::size_t count = config.error().size();
        std::fprintf(stderr, "%s: %zu %s; a server would not start\n", path.c_str(), count,
                     count == 1 ? "error" : "errors");
        return exit_usage;
    }
    for (const std::string& warning : config->warnings) {
        std::fprintf(stderr, "warning: %s\n", warning.c_str());
    }
    std::printf("%s: ok\n", path.c_str());
    return exit_ok;
}

}  // namespace

void add_check_config_command(CLI::App& app, int& exit_code) {
    CLI::App* command = app.add_subcommand("check-config", check_config_description);
    const auto path = std::make_shared<std::string>(default_config_path);
    command->add_option("--config", *path, "The configuration file")->capture_default_str();
    command->callback([path, &exit_code] { exit_code = check_config(*path); });
}

}  // namespace restante
