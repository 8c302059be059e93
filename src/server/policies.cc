#include "server/policies.h"

#include <algorithm>
#include <thread>

#include "base/assert.h"

namespace restante {
namespace {

constexpr std::uint64_t octets_a_mib = std::uint64_t{1} << 20;

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

SessionPolicy session_policy(const Config& config, bool has_kernel_tls) {
    SaslMechanisms mechanisms;
    for (const std::string& name : config.auth.mechanisms) {
        const std::optional<SaslMechanism> mechanism = find_sasl_mechanism(name);
        ASSERT(mechanism.has_value());  // the configuration's choices are these names
        mechanisms.add(*mechanism);
    }
    return {.sasl = {.mechanisms = mechanisms,
                     .allow_cleartext = config.auth.allow_cleartext,
                     .apop = config.pop3.apop,
                     .hostname = config.hostname,
                     .token_scope = config.auth.token.scope},
            .kernel_tls = has_kernel_tls,
            .login_timeout = config.limits.login_timeout,
            .idle_timeout = config.limits.idle_timeout,
            .sessions_per_user = config.limits.sessions_per_user};
}

ThrottleSettings throttle_settings(const Config& config) {
    return {config.limits.failed_delay, config.limits.failed_delay_max, user_name_rules(config)};
}

UserNameRules user_name_rules(const Config& config) {
    const bool lowers = config.auth.username_case == UsernameCase::lower;
    return {config.auth.default_domain, lowers ? NameMatch::ignore_case : NameMatch::exact};
}

char master_separator(const Config& config) {
    const std::string& separator = config.auth.master.separator;
    return separator.empty() ? '\0' : separator.front();
}

TokenExpectations token_expectations(const TokenConfig& config) {
    TokenExpectations expected{
        .issuer = config.issuer, .audience = config.audience, .scope = config.scope};
    expected.user_claim = config.type == TokenType::introspection ? "username" : "sub";
    if (!config.user_claim.empty()) expected.user_claim = config.user_claim;
    expected.leeway = std::chrono::duration_cast<std::chrono::seconds>(config.leeway);
    return expected;
}

std::shared_ptr<const IntrospectionSettings> introspection_settings(const TokenConfig& config) {
    auto settings = std::make_shared<IntrospectionSettings>();
    settings->endpoint = config.endpoint;
    settings->client_id = config.client_id;
    settings->client_secret = config.client_secret;
    settings->ca_file = config.ca_file;
    settings->timeout = std::chrono::duration_cast<std::chrono::milliseconds>(config.timeout);
    settings->expected = token_expectations(config);
    return settings;
}

std::size_t reactors_of(const Config& config) {
    return config.runtime.reactors != 0 ? config.runtime.reactors
                                        : std::max(1u, std::thread::hardware_concurrency());
}

std::expected<StoreOptions, std::string> store_options(const Config& config) {
    const std::expected<MaildropPath, std::string> path =
        MaildropPath::parse(config.storage.maildir);
    if (!path) return std::unexpected("[storage] maildir: " + path.error());
    const std::expected<UidlFormat, std::string> format =
        UidlFormat::compile(config.pop3.dovecot_uidl_format);
    if (!format) return std::unexpected("[pop3] dovecot_uidl_format: " + format.error());
    return StoreOptions{
        *path,
        {unique_id_mode(config.pop3.unique_id), *format},
        config.pop3.durable,
        std::make_shared<IndexMemory>(config.limits.index_memory_mib * octets_a_mib),
        config.limits.index_cache_mib * octets_a_mib / reactors_of(config)};
}

}  // namespace restante
