#pragma once
/// From the configuration to what each layer is told: the layers do not know it.

#include <expected>
#include <memory>
#include <string>

#include "auth/introspection.h"
#include "auth/throttle.h"
#include "auth/token_claims.h"
#include "auth/user_name.h"
#include "maildir/maildir_context.h"
#include "server/config.h"
#include "session/session.h"

namespace restante {

/// `has_kernel_tls`: it is asked for, and the kernel has it.
SessionPolicy session_policy(const Config& config, bool has_kernel_tls = false);
ThrottleSettings throttle_settings(const Config& config);
UserNameRules user_name_rules(const Config& config);
/// NUL: there is none.
char master_separator(const Config& config);
TokenExpectations token_expectations(const TokenConfig& config);
std::shared_ptr<const IntrospectionSettings> introspection_settings(const TokenConfig& config);
/// The error is a sentence for an operator that names the key.
std::expected<StoreOptions, std::string> store_options(const Config& config);
/// As configured, or one a core.
std::size_t reactors_of(const Config& config);

}  // namespace restante
