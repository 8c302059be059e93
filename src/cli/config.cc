/// `restante config`: the configuration as it is understood.

#include <cstdio>
#include <string>

#include "cli/commands.h"
#include "server/config.h"

namespace restante {

int show_config(const std::string& path, bool all) {
    const std::expected<std::string, std::string> text = read_config_text(path);
    if (!text) {
        std::fprintf(stderr, "%s\n", text.error().c_str());
        return exit_usage;
    }
    const std::expected<Config, ConfigErrors> config = parse_config(*text, path);
    if (!config) {
        for (const std::string& error : config.error()) std::fprintf(stderr, "%s\n", error.c_str());
        return exit_usage;
    }
    std::fputs(describe_config(*text, path, all).c_str(), stdout);
    return exit_ok;
}

}  // namespace restante
