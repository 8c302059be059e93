/// `restante check-config`: what is wrong with the configuration file, without starting anything.

#include <cstdio>
#include <string>

#include "cli/commands.h"
#include "server/config.h"

namespace restante {

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

}  // namespace restante
