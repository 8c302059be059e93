#include "server/config_check.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <climits>
#include <filesystem>
#include <optional>
#include <span>
#include <system_error>
#include <utility>

#include "base/assert.h"
#include "server/config_value.h"

namespace restante {
namespace {

constexpr std::size_t listener_addresses_max = 64;  // each is a descriptor of every reactor

class DocumentChecker {
public:
    DocumentChecker(ConfigDocument& document, const std::string& path, Findings& errors)
        : document_(document), path_(path), errors_(errors) {
        std::error_code unknown_folder;  // then relative paths stay so
        folder_ = std::filesystem::absolute(path, unknown_folder).parent_path();
    }

    Config check();

private:
    void check_entry(ConfigEntry& entry);
    void check_items(ConfigEntry& entry);
    void check_names();
    void check_missing();
    void check_missing_tables();
    Config build();
    void build_listeners(Config& config);
    void build_backend(Config& config);
    void build_limits(Config& config);
    void warn(Config& config) const;

    void report(FilePosition at, std::string sentence) { errors_.add(at, std::move(sentence)); }
    bool is_meant(std::string_view path) const;
    const ConfigEntry* find(std::string_view table, std::string_view name) const;
    std::vector<const ConfigTable*> tables_of(std::string_view pattern) const;
    std::string absolute(const std::string& path) const;

    /// The value in the file, else the default; where it was bad, the default too: the Config is
    /// then never used.
    ConfigValue value(std::string_view table, std::string_view name) const;
    template <class Enum>
    Enum choice(std::string_view table, std::string_view name) const;
    bool boolean(std::string_view table, std::string_view name) const;
    std::uint32_t integer(std::string_view table, std::string_view name) const;
    Duration duration(std::string_view table, std::string_view name) const;
    std::string text(std::string_view table, std::string_view name) const;

    ConfigDocument& document_;
    const std::string& path_;
    std::filesystem::path folder_;
    Findings& errors_;
};

Config DocumentChecker::check() {
    for (ConfigEntry& entry : document_.entries) check_entry(entry);
    check_names();
    check_missing();
    check_missing_tables();
    Config config = build();
    warn(config);
    return config;
}

void DocumentChecker::check_entry(ConfigEntry& entry) {
    if (std::holds_alternative<std::monostate>(entry.value)) return;
    const std::string error = value_error(*entry.row, entry.value);
    if (error.empty()) return check_items(entry);
    report(entry.at, error);
    entry.value = std::monostate{};
}

/// Elements of choice lists; addresses are checked where listeners are built.
void DocumentChecker::check_items(ConfigEntry& entry) {
    if (entry.row->type != KeyType::choice_list) return;
    const auto& items = std::get<std::vector<std::string>>(entry.value);
    for (std::size_t i = 0; i < items.size(); ++i) {
        const auto before = std::span(items).first(i);
        const bool is_repeated = std::ranges::find(before, items[i]) != before.end();
        const std::string error = is_repeated ? in_quotes(items[i]) + " is there twice"
                                              : choice_error(*entry.row, items[i]);
        if (!error.empty()) report(entry.items[i], error);
    }
}

void DocumentChecker::check_names() {
    for (const ConfigTable& table : document_.tables) {
        if (!table.pattern.ends_with(".*")) continue;
        const std::string name = table.path.substr(table.pattern.size() - 1);
        if (is_short_name(name)) continue;
        report(table.at, in_quotes(name) +
                             " is no name for a listener or backend: it takes 1 to 32 "
                             "letters, digits, \"-\" and \"_\"");
    }
}

/// Required keys of the tables that there are.
void DocumentChecker::check_missing() {
    for (const ConfigTable& table : document_.tables) {
        for (const KeyRow& row : config_schema()) {
            const std::string key = std::string(table.path) + '.' + std::string(row.name);
            if (!row.is_required || row.table != table.pattern || is_meant(key)) continue;
            if (find(table.path, row.name) != nullptr) continue;
            report(table.at, '[' + log_escaped(table.path) + "] needs " + std::string(row.name) +
                                 ": " + std::string(row.meaning));
        }
    }
}

void DocumentChecker::check_missing_tables() {
    if (tables_of("listener.*").empty() && !is_meant("listener")) {
        report({}, "no listener: add [listener.pop3] with address = [\"127.0.0.1:110\"]");
    }
    if (tables_of("storage").empty() && !is_meant("storage")) {
        report({}, "no mail: add [storage] with maildir = \"/var/vmail/{domain}/{local}\"");
    }
    const std::vector<const ConfigTable*> backends = tables_of("auth.backend.*");
    if (backends.empty() && !is_meant("auth") && !is_meant("auth.backend")) {
        report({},
               "no users: add [auth.backend.local] with type = \"passwd-file\" and "
               "path = \"users\"");
    }
    for (std::size_t i = 1; i < backends.size(); ++i) {
        report(backends[i]->at, "more than one [auth.backend.NAME] is not in this version yet");
    }
}

Config DocumentChecker::build() {
    Config config;
    config.hostname = text("", "hostname");
    if (config.hostname.empty()) {
        std::array<char, HOST_NAME_MAX + 1> name{};
        const int status = ::gethostname(name.data(), name.size() - 1);
        const bool is_usable = status == 0 && name[0] != '\0' && is_host_name(name.data());
        config.hostname = is_usable ? name.data() : "localhost";
    }
    build_listeners(config);
    if (const ConfigEntry* maildir = find("storage", "maildir")) {
        const auto* path = std::get_if<std::string>(&maildir->value);
        if (path != nullptr) {
            config.storage.maildir = path->starts_with("{home}") ? *path : absolute(*path);
        }
    }
    config.storage.user = text("storage", "user");
    config.auth.allow_cleartext = boolean("auth", "allow_cleartext");
    config.auth.mechanisms = std::get<std::vector<std::string>>(value("auth", "mechanisms"));
    config.auth.cache_ttl = duration("auth", "cache_ttl");
    config.auth.default_domain = text("auth", "default_domain");
    config.auth.username_case = choice<UsernameCase>("auth", "username_case");
    build_backend(config);
    config.pop3.apop = boolean("pop3", "apop");
    config.pop3.unique_id = choice<UniqueIdMode>("pop3", "unique_id");
    config.pop3.dovecot_uidl_format = text("pop3", "dovecot_uidl_format");
    config.pop3.durable = boolean("pop3", "durable");
    build_limits(config);
    config.runtime.reactors = integer("runtime", "reactors");
    config.delivery = choice<DeliveryStrategy>("delivery", "strategy");
    config.log.level = choice<LogLevel>("log", "level");
    config.log.ident = text("log", "ident");
    const std::string target = text("log", "target");
    if (target.starts_with("file:")) config.log.file = absolute(target.substr(5));
    return config;
}

void DocumentChecker::build_listeners(Config& config) {
    std::vector<std::string> taken;
    for (const ConfigTable* table : tables_of("listener.*")) {
        ListenerConfig listener{.name = table->path.substr(std::string_view("listener.").size()),
                                .addresses = {}};
        const ConfigEntry* entry = find(table->path, "address");
        const auto* texts =
            entry != nullptr ? std::get_if<std::vector<std::string>>(&entry->value) : nullptr;
        if (texts == nullptr) continue;
        if (texts->empty() || texts->size() > listener_addresses_max) {
            report(entry->at, "address takes 1 to 64 addresses, such as [\"127.0.0.1:110\"]");
        }
        for (std::size_t i = 0; i < texts->size(); ++i) {
            const auto address = SocketAddress::parse((*texts)[i]);
            if (!address) {
                report(entry->items[i], address.error());
                continue;
            }
            const bool is_taken = std::ranges::find(taken, address->text()) != taken.end();
            if (is_taken && address->port() != 0) {
                report(entry->items[i], in_quotes((*texts)[i]) + " is listened on twice");
            }
            taken.push_back(address->text());
            listener.addresses.push_back(*address);
        }
        config.listeners.push_back(std::move(listener));
    }
}

void DocumentChecker::build_backend(Config& config) {
    const std::vector<const ConfigTable*> backends = tables_of("auth.backend.*");
    if (backends.empty()) return;
    const std::string& path = backends.front()->path;
    config.auth.backend.name = path.substr(std::string_view("auth.backend.").size());
    const ConfigEntry* entry = find(path, "path");
    const auto* file = entry != nullptr ? std::get_if<std::string>(&entry->value) : nullptr;
    if (file != nullptr) config.auth.backend.path = absolute(*file);
}

void DocumentChecker::build_limits(Config& config) {
    config.limits.connections = integer("limits", "connections");
    config.limits.login_timeout = duration("limits", "login_timeout");
    config.limits.idle_timeout = duration("limits", "idle_timeout");
    config.limits.failed_delay = duration("limits", "failed_delay");
    config.limits.failed_delay_max = duration("limits", "failed_delay_max");
    config.limits.drain_timeout = duration("limits", "drain_timeout");
    if (config.limits.failed_delay <= config.limits.failed_delay_max) return;
    const ConfigEntry* most = find("limits", "failed_delay_max");
    const ConfigEntry* least = find("limits", "failed_delay");
    report(most != nullptr ? most->at : least->at, "failed_delay_max is less than failed_delay");
}

void DocumentChecker::warn(Config& config) const {
    Findings warnings(path_);
    const bool has_tls = std::ranges::any_of(
        config.listeners, [](const ListenerConfig& l) { return l.tls != TlsMode::none; });
    if (!config.auth.allow_cleartext && !config.pop3.apop && !has_tls) {
        warnings.add({},
                     "nobody can log in: there is no TLS, [auth] allow_cleartext is false and "
                     "[pop3] apop is false; where the network is trusted, set "
                     "allow_cleartext = true");
    }
    if (config.storage.user == "root") {
        const ConfigEntry* user = find("storage", "user");
        warnings.add(user->at,
                     "user = \"root\": a server started as root stays root; name a user "
                     "of its own that may read the mail");
    }
    if (!config.storage.maildir.empty() && !config.storage.maildir.contains('{')) {
        const ConfigEntry* maildir = find("storage", "maildir");
        warnings.add(maildir->at, "maildir has no placeholder: every user opens the same maildir");
    }
    config.warnings = warnings.lines();
}

bool DocumentChecker::is_meant(std::string_view path) const {
    return std::ranges::any_of(document_.meant, [path](const std::string& meant) {
        return path == meant || (path.starts_with(meant) && path[meant.size()] == '.');
    });
}

const ConfigEntry* DocumentChecker::find(std::string_view table, std::string_view name) const {
    const auto entry = std::ranges::find_if(document_.entries, [&](const ConfigEntry& e) {
        return e.table == table && e.row->name == name;
    });
    return entry == document_.entries.end() ? nullptr : &*entry;
}

std::vector<const ConfigTable*> DocumentChecker::tables_of(std::string_view pattern) const {
    std::vector<const ConfigTable*> tables;
    for (const ConfigTable& table : document_.tables) {
        if (table.pattern == pattern) tables.push_back(&table);
    }
    return tables;
}

std::string DocumentChecker::absolute(const std::string& path) const {
    return (folder_ / path).lexically_normal().string();
}

ConfigValue DocumentChecker::value(std::string_view table, std::string_view name) const {
    const ConfigEntry* entry = find(table, name);
    if (entry != nullptr && entry->value.index() != 0) return entry->value;
    const KeyRow* row = find_key(table, name);
    ASSERT(row != nullptr);
    return default_value(*row);
}

template <class Enum>
Enum DocumentChecker::choice(std::string_view table, std::string_view name) const {
    const std::vector<std::string_view> choices = split_choices(find_key(table, name)->choices);
    const auto place = std::ranges::find(choices, text(table, name));
    ASSERT(place != choices.end());
    return static_cast<Enum>(place - choices.begin());
}

bool DocumentChecker::boolean(std::string_view table, std::string_view name) const {
    return std::get<bool>(value(table, name));
}

std::uint32_t DocumentChecker::integer(std::string_view table, std::string_view name) const {
    return static_cast<std::uint32_t>(std::get<std::int64_t>(value(table, name)));
}

Duration DocumentChecker::duration(std::string_view table, std::string_view name) const {
    const std::optional<Duration> duration = parse_duration(text(table, name));
    ASSERT(duration.has_value());
    return *duration;
}

std::string DocumentChecker::text(std::string_view table, std::string_view name) const {
    return std::get<std::string>(value(table, name));
}

}  // namespace

Config check_document(ConfigDocument& document, const std::string& path, Findings& errors) {
    return DocumentChecker(document, path, errors).check();
}

}  // namespace restante
