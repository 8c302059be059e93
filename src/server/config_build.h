#pragma once
/// From the values of a configuration file to a Config.

#include "server/config.h"
#include "server/config_document.h"
#include "server/config_lookup.h"

namespace restante {

/// Worth nothing when `errors` is not empty afterwards. Config::warnings is left empty.
Config build_config(const ConfigLookup& lookup, Findings& errors);

}  // namespace restante
