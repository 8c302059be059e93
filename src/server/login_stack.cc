#include "server/login_stack.h"

#include <utility>

#include "ring/helper_pool.h"
#include "server/policies.h"

namespace restante {
namespace {

constexpr std::uint64_t kib_a_mib = 1024;

/// Without a table everybody is refused with [SYS/TEMP] until the file can be read: better than no
/// server.
std::shared_ptr<const PasswdTable> load_users(const std::string& path, Log& log) {
    std::expected<std::shared_ptr<const PasswdTable>, std::string> table = load_passwd_table(path);
    if (!table) {
        log.write(LogLevel::error, table.error() + "; logins are refused until it can be read");
        return nullptr;
    }
    report_passwd_table(**table, path, log);
    return *table;
}

/// A reactor's part of what keeps the hashing helpers busy.
std::size_t hashes_in_flight(std::size_t reactors) {
    const std::size_t helpers =
        default_helper_sizes()[static_cast<std::size_t>(HelperKind::hashing)].threads;
    return hashes_a_helper * ((helpers + reactors - 1) / reactors);
}

std::unique_ptr<TokenVerifier> make_tokens(const JwtService& service, const SharedLogins& shared) {
    if (shared.jwt != nullptr) return std::make_unique<JwtVerifier>(service, shared.jwt);
    if (shared.introspection == nullptr) return nullptr;
    return std::make_unique<Introspection>(service.ring, service.log, shared.throttle,
                                           shared.introspection);
}

PasswdSource users_source(PasswdPlace place, const Config& config, const SharedLogins& shared,
                          Hashing& hashing) {
    return {.place = std::move(place),
            .rules = user_name_rules(config),
            .initial = shared.users,
            .cache = shared.cache,
            .hashing = hashing,
            .false_credentials = shared.false_credentials};
}

/// Not remembered in the cache, which is by name: a master may be called as a user is.
PasswdSource masters_source(PasswdPlace place, const Config& config, const SharedLogins& shared,
                            Hashing& hashing) {
    PasswdSource source = users_source(std::move(place), config, shared, hashing);
    source.initial = shared.masters;
    source.cache = nullptr;
    return source;
}

}  // namespace

SharedLogins::SharedLogins(const Config& config, VerificationCache* known)
    : throttle(throttle_settings(config)),
      hash_memory(config.auth.hash_memory_mib * kib_a_mib, config.auth.hash_wait),
      false_credentials(FalseCredentials::make()),
      cache(known) {}

std::expected<std::unique_ptr<SharedLogins>, std::string> SharedLogins::make(
    const Config& config, VerificationCache* cache, Log& log) {
    auto shared = std::make_unique<SharedLogins>(config, cache);
    shared->users = load_users(config.auth.backend.path, log);
    if (!config.auth.master.path.empty())
        shared->masters = load_users(config.auth.master.path, log);
    const TokenConfig& token = config.auth.token;
    if (token.type == TokenType::jwt) {
        std::expected<JwtKeys, std::string> keys = load_jwt_keys(token.keys);
        if (!keys) return std::unexpected("[auth.token] " + keys.error());
        shared->jwt =
            std::make_shared<const JwtSettings>(std::move(*keys), token_expectations(token));
    } else if (token.type == TokenType::introspection) {
        shared->introspection = introspection_settings(token);
        const std::expected<void, std::string> ready =
            prepare_introspection(*shared->introspection);
        if (!ready) return std::unexpected("[auth.token] " + ready.error());
    }
    return shared;
}

std::expected<LoginPlaces, std::string> LoginPlaces::open(const AuthConfig& config) {
    std::expected<PasswdPlace, std::string> users = PasswdPlace::open(config.backend.path);
    if (!users) return std::unexpected(users.error());
    LoginPlaces places{std::move(*users), std::nullopt};
    if (config.master.path.empty()) return places;
    std::expected<PasswdPlace, std::string> masters = PasswdPlace::open(config.master.path);
    if (!masters) return std::unexpected(masters.error());
    places.masters = std::move(*masters);
    return places;
}

LoginStack::LoginStack(Ring& ring, Log& log, const Config& config, SharedLogins& shared,
                       LoginPlaces places, std::size_t reactors)
    : hashing_(ring, shared.throttle, shared.hash_memory,
               {hashes_in_flight(reactors), config.auth.hash_wait}),
      users_(ring, log, users_source(std::move(places.users), config, shared, hashing_)),
      tokens_(make_tokens({ring, log, hashing_}, shared)) {
    if (places.masters) {
        masters_.emplace(ring, log,
                         masters_source(std::move(*places.masters), config, shared, hashing_));
    }
    login_.emplace(LoginSources{.users = users_,
                                .rules = user_name_rules(config),
                                .masters = masters_ ? &*masters_ : nullptr,
                                .master_separator = master_separator(config),
                                .tokens = tokens_.get()});
}

}  // namespace restante
