/// `restante config`: the configuration as it is understood.

#include <cstdio>
#include <memory>
#include <string>

#include "cli/commands.h"
#include "server/config.h"

namespace restante {
namespace {

constexpr const char* config_description =
    "Show what the configuration file changes from the defaults, as TOML\n\n"
    "Examples:\n"
    "  restante config                         of /etc/restante/restante.toml\n"
    "  restante config --all                   every key, with its meaning\n";

struct Options {
    std::string path{default_config_path};
    bool all = false;
};

int show_config(const Options& options) {
    const std::expected<std::string, std::string> text = read_config_text(options.path);
    if (!text) {
        std::fprintf(stderr, "%s\n", text.error().c_str());
        return exit_usage;
    }
    const std::expected<Config, ConfigErrors> config = parse_config(*text, options.path);
    if (!config) {
        for (const std::string& error : config.error()) std::fprintf(stderr, "%s\n", error.c_str());
        return exit_usage;
    }
    std::fputs(describe_config(*text, options.path, options.all).c_str(), stdout);
    return exit_ok;
}

}  // namespace

void add_config_command(CLI::App& app, int& exit_code) {
    CLI::App* command = app.add_subcommand("config", config_description);
    const auto options = std::make_shared<Options>();
    command->add_option("--config", options->path, "The configuration file")->capture_default_str();
    command->add_flag("--all", options->all, "Every key, with its meaning");
    command->callback([options, &exit_code] { exit_code = show_config(*options); });
}

}  // namespace restante
