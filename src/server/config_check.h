#pragma once
/// From the values of a configuration file to a Config: bounds, what this version has, and what
/// only shows when keys are seen together.

#include "server/config.h"
#include "server/config_document.h"

namespace restante {

/// Worth nothing when `errors` is not empty afterwards. `path` is the file's; relative paths are
/// resolved against its folder. Config::warnings is filled.
Config check_document(ConfigDocument& document, const std::string& path, Findings& errors);

}  // namespace restante
