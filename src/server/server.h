#pragma once
/// The whole server: listeners, reactors, helpers, and how they start and end.

#include <expected>
#include <functional>
#include <string>

#include "server/config.h"

namespace restante {

/// Serves until SIGTERM or SIGINT: the first drains, the second ends at once. To be called once, on
/// the main thread, before any other thread exists. Started as root, it runs as [storage] user once
/// the ports are bound. `on_ready` is called when connections are accepted. The error is a sentence
/// for an operator.
std::expected<void, std::string> run_server(const Config& config,
                                            const std::function<void()>& on_ready);

}  // namespace restante
