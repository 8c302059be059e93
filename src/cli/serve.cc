/// `restante serve`: the server, in the foreground.

#include <cstdio>
#include <string>

#include "cli/commands.h"
#include "server/config.h"
#include "server/server.h"

namespace restante {

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

}  // namespace restante
