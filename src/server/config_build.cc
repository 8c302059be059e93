#include "server/config_build.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <climits>
#include <utility>

#include "server/config_value.h"

namespace restante {
namespace {

constexpr std::size_t listener_addresses_max = 64;  // each is a descriptor of every reactor

/// "listener.pop3" of the pattern "listener.*" as "pop3".
std::string name_of(const ConfigTable& table) {
    return table.path.substr(table.pattern.size() - 1);
}

std::string machine_name() {
    std::array<char, HOST_NAME_MAX + 1> name{};
    const int status = ::gethostname(name.data(), name.size() - 1);
    const bool is_usable = status == 0 && name[0] != '\0' && is_host_name(name.data());
    return is_usable ? name.data() : "localhost";
}

/// Each address is listened on once.
std::vector<SocketAddress> build_addresses(const ConfigEntry& entry,
                                           std::vector<std::string>& taken, Findings& errors) {
    std::vector<SocketAddress> addresses;
    const auto& texts = std::get<std::vector<std::string>>(entry.value);
    if (texts.empty() || texts.size() > listener_addresses_max) {
        errors.add(entry.at, "address takes 1 to 64 addresses, such as [\"127.0.0.1:110\"]");
    }
    for (std::size_t i = 0; i < texts.size(); ++i) {
        const auto address = SocketAddress::parse(texts[i]);
        if (!address) {
            errors.add(entry.items[i], address.error());
            continue;
        }
        const bool is_taken = std::ranges::find(taken, address->text()) != taken.end();
        if (is_taken && address->port() != 0) {
            errors.add(entry.items[i], in_quotes(texts[i]) + " is listened on twice");
        }
        taken.push_back(address->text());
        addresses.push_back(*address);
    }
    return addresses;
}

std::vector<ListenerConfig> build_listeners(const ConfigLookup& lookup, Findings& errors) {
    std::vector<ListenerConfig> listeners;
    std::vector<std::string> taken;
    for (const ConfigTable* table : lookup.tables_of("listener.*")) {
        const ConfigEntry* entry = lookup.find(table->path, "address");
        if (entry == nullptr || entry->value.index() == 0) continue;
        listeners.push_back({.name = name_of(*table),
                             .addresses = build_addresses(*entry, taken, errors),
                             .tls = lookup.choice<TlsMode>(table->path, "tls")});
    }
    return listeners;
}

/// `table` is "tls" or "tls.name.NAME": a pair, and a second one of another kind of key.
std::vector<TlsPair> build_pairs(const ConfigLookup& lookup, std::string_view table) {
    std::vector<TlsPair> pairs{{.certificate = lookup.file(table, "certificate"),
                                .key = lookup.file(table, "key"),
                                .ocsp = lookup.file(table, "ocsp_response")}};
    TlsPair second{.certificate = lookup.file(table, "alternative_certificate"),
                   .key = lookup.file(table, "alternative_key"),
                   .ocsp = lookup.file(table, "alternative_ocsp_response")};
    if (!second.certificate.empty()) pairs.push_back(std::move(second));
    return pairs;
}

std::optional<TlsConfig> build_tls(const ConfigLookup& lookup) {
    if (lookup.tables_of("tls").empty()) return std::nullopt;
    TlsConfig tls{.settings = {.pairs = build_pairs(lookup, "tls"),
                               .names = {},
                               .min_version = lookup.choice<TlsVersion>("tls", "min_version"),
                               .ticket_keys = lookup.file("tls", "ticket_keys"),
                               .client_certificates =
                                   lookup.choice<ClientCertificates>("tls", "client_certificates"),
                               .client_ca = lookup.file("tls", "client_ca")},
                  .kernel = lookup.boolean("tls", "kernel")};
    for (const ConfigTable* table : lookup.tables_of("tls.name.*")) {
        tls.settings.names.push_back({name_of(*table), build_pairs(lookup, table->path)});
    }
    return tls;
}

TokenConfig build_token(const ConfigLookup& lookup) {
    constexpr std::string_view table = "auth.token";
    return {.type = lookup.choice<TokenType>(table, "type"),
            .user_claim = lookup.text(table, "user_claim"),
            .issuer = lookup.text(table, "issuer"),
            .audience = lookup.text(table, "audience"),
            .scope = lookup.text(table, "scope"),
            .leeway = lookup.duration(table, "leeway"),
            .keys = lookup.file(table, "keys"),
            .endpoint = lookup.text(table, "endpoint"),
            .client_id = lookup.text(table, "client_id"),
            .client_secret = lookup.text(table, "client_secret"),
            .ca_file = lookup.file(table, "ca_file"),
            .timeout = lookup.duration(table, "timeout")};
}

AuthConfig build_auth(const ConfigLookup& lookup) {
    AuthConfig auth{.allow_cleartext = lookup.boolean("auth", "allow_cleartext"),
                    .mechanisms = lookup.texts("auth", "mechanisms"),
                    .cache_ttl = lookup.duration("auth", "cache_ttl"),
                    .default_domain = lookup.text("auth", "default_domain"),
                    .username_case = lookup.choice<UsernameCase>("auth", "username_case"),
                    .hash_memory_mib = lookup.integer("auth", "hash_memory"),
                    .hash_wait = lookup.duration("auth", "hash_wait"),
                    .backend = {},
                    .master = {.path = lookup.file("auth.master", "path"),
                               .separator = lookup.text("auth.master", "separator")},
                    .token = build_token(lookup)};
    const std::vector<const ConfigTable*> backends = lookup.tables_of("auth.backend.*");
    if (backends.empty()) return auth;
    auth.backend = {.name = name_of(*backends.front()),
                    .path = lookup.file(backends.front()->path, "path")};
    return auth;
}

LimitsConfig build_limits(const ConfigLookup& lookup, Findings& errors) {
    const LimitsConfig limits{.connections = lookup.integer("limits", "connections"),
                              .connections_per_ip = lookup.integer("limits", "connections_per_ip"),
                              .sessions_per_user = lookup.integer("limits", "sessions_per_user"),
                              .index_memory_mib = lookup.integer("limits", "index_memory"),
                              .index_cache_mib = lookup.integer("limits", "index_cache"),
                              .login_timeout = lookup.duration("limits", "login_timeout"),
                              .idle_timeout = lookup.duration("limits", "idle_timeout"),
                              .failed_delay = lookup.duration("limits", "failed_delay"),
                              .failed_delay_max = lookup.duration("limits", "failed_delay_max"),
                              .drain_timeout = lookup.duration("limits", "drain_timeout")};
    if (limits.failed_delay > limits.failed_delay_max) {
        const ConfigEntry* most = lookup.find("limits", "failed_delay_max");
        const ConfigEntry* least = lookup.find("limits", "failed_delay");
        errors.add(most != nullptr ? most->at : least->at,
                   "failed_delay_max is less than failed_delay");
    }
    return limits;
}

/// {home} is a path already.
std::string maildir_of(const ConfigLookup& lookup) {
    const std::string path = lookup.text("storage", "maildir");
    return path.starts_with("{home}") ? path : lookup.file("storage", "maildir");
}

LogConfig build_log(const ConfigLookup& lookup) {
    const std::string target = lookup.text("log", "target");
    return {.level = lookup.choice<LogLevel>("log", "level"),
            .ident = lookup.text("log", "ident"),
            .file = target.starts_with("file:") ? lookup.absolute(target.substr(5)) : ""};
}

}  // namespace

Config build_config(const ConfigLookup& lookup, Findings& errors) {
    const std::string hostname = lookup.text("", "hostname");
    return {.hostname = hostname.empty() ? machine_name() : hostname,
            .listeners = build_listeners(lookup, errors),
            .tls = build_tls(lookup),
            .storage = {.maildir = maildir_of(lookup), .user = lookup.text("storage", "user")},
            .auth = build_auth(lookup),
            .pop3 = {.apop = lookup.boolean("pop3", "apop"),
                     .unique_id = lookup.choice<UniqueIdMode>("pop3", "unique_id"),
                     .dovecot_uidl_format = lookup.text("pop3", "dovecot_uidl_format"),
                     .durable = lookup.boolean("pop3", "durable")},
            .limits = build_limits(lookup, errors),
            .runtime = {.backend = lookup.choice<RingBackend>("runtime", "backend"),
                        .reactors = lookup.integer("runtime", "reactors"),
                        .confine = lookup.boolean("runtime", "confine")},
            .delivery = lookup.choice<DeliveryStrategy>("delivery", "strategy"),
            .log = build_log(lookup),
            .warnings = {}};
}

}  // namespace restante
