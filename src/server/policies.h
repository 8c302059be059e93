#pragma once
/// From the configuration to what each layer is told: the layers do not know it.

#include <expected>
#include <string>

#include "auth/user_name.h"
#include "maildir/maildir_context.h"
#include "server/config.h"
#include "session/session.h"

namespace restante {

SessionPolicy session_policy(const Config& config);
UserNameRules user_name_rules(const Config& config);
/// The error is a sentence for an operator that names the key.
std::expected<StoreOptions, std::string> store_options(const Config& config);

}  // namespace restante
