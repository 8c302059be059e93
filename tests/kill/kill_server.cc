/// kill_server CONFIG: `restante serve --config CONFIG`, but that it ends as RESTANTE_ENDING says
/// (ending_ring.h). Linked with `--wrap`, so that nothing in src/ knows of it.

#include <cstdio>
#include <cstdlib>
#include <utility>

#include "kill/ending_ring.h"
#include "ring/ring_choice.h"
#include "server/config.h"
#include "server/server.h"

namespace restante {

using MadeRing = std::expected<ChosenRing, std::string>;

// What the linker calls a wrapped function and the one that takes its place.
MadeRing real_ring(RingBackend backend, HelperPool& helpers, bool storage_is_local) asm(
    "__real__ZN8restante9make_ringB5cxx11ENS_11RingBackendERNS_10HelperPoolEb");
MadeRing wrapped_ring(RingBackend backend, HelperPool& helpers, bool storage_is_local) asm(
    "__wrap__ZN8restante9make_ringB5cxx11ENS_11RingBackendERNS_10HelperPoolEb");

MadeRing wrapped_ring(RingBackend backend, HelperPool& helpers, bool storage_is_local) {
    MadeRing made = real_ring(backend, helpers, storage_is_local);
    const char* const text = std::getenv("RESTANTE_ENDING");
    if (text == nullptr || !made) return made;
    const std::optional<Ending> ending = Ending::parse(text);
    if (!ending) return std::unexpected(std::string("RESTANTE_ENDING is no ending: ") + text);
    made->ring = make_ending_ring(std::move(made->ring), *ending);
    return made;
}

namespace {

int serve(const std::string& path) {
    const std::expected<Config, ConfigErrors> config = load_config(path);
    if (!config) {
        for (const std::string& error : config.error()) std::fprintf(stderr, "%s\n", error.c_str());
        return 2;
    }
    const std::expected<void, std::string> served = run_server(*config, [] {});
    if (!served) std::fprintf(stderr, "kill_server: %s\n", served.error().c_str());
    return served ? 0 : 1;
}

}  // namespace
}  // namespace restante

int main(int count, char** arguments) {
    if (count != 2) {
        std::fprintf(stderr, "usage: kill_server CONFIG\n");
        return 2;
    }
    return restante::serve(arguments[1]);
}
