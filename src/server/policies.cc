#include "server/policies.h"

#include <algorithm>

#include "base/assert.h"

namespace restante {
namespace {

UniqueIdPolicy::Mode unique_id_mode(UniqueIdMode mode) {
    switch (mode) {
        case UniqueIdMode::automatic: return UniqueIdPolicy::Mode::automatic;
        case UniqueIdMode::filename: return UniqueIdPolicy::Mode::filename;
        case UniqueIdMode::dovecot: return UniqueIdPolicy::Mode::dovecot;
        case UniqueIdMode::courier: return UniqueIdPolicy::Mode::courier;
    }
    ASSERT(!"a UniqueIdMode");
}

}  // namespace

SessionPolicy session_policy(const Config& config) {
    const auto offers = [&config](std::string_view mechanism) {
        return std::ranges::find(config.auth.mechanisms, mechanism) != config.auth.mechanisms.end();
    };
    return {.hostname = config.hostname,
            .allow_cleartext = config.auth.allow_cleartext,
            .apop = config.pop3.apop,
            .plain = offers("PLAIN"),
            .login = offers("LOGIN"),
            .login_timeout = config.limits.login_timeout,
            .idle_timeout = config.limits.idle_timeout,
            .failed_delay = config.limits.failed_delay,
            .failed_delay_max = config.limits.failed_delay_max};
}

UserNameRules user_name_rules(const Config& config) {
    const bool lowers = config.auth.username_case == UsernameCase::lower;
    return {config.auth.default_domain, lowers ? NameMatch::ignore_case : NameMatch::exact};
}

std::expected<StoreOptions, std::string> store_options(const Config& config) {
    const std::expected<MaildropPath, std::string> path =
        MaildropPath::parse(config.storage.maildir);
    if (!path) return std::unexpected("[storage] maildir: " + path.error());
    const std::expected<UidlFormat, std::string> format =
        UidlFormat::compile(config.pop3.dovecot_uidl_format);
    if (!format) return std::unexpected("[pop3] dovecot_uidl_format: " + format.error());
    return StoreOptions{
        *path, {unique_id_mode(config.pop3.unique_id), *format}, config.pop3.durable};
}

}  // namespace restante
