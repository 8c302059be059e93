#include "server/config_check.h"

#include <algorithm>
#include <initializer_list>
#include <span>
#include <utility>

#include "server/config_build.h"
#include "server/config_value.h"

namespace restante {
namespace {

/// "*.example.net" stands for one label (RFC 6125 §6.4.3).
bool is_server_name(std::string_view name) {
    if (name.starts_with("*.")) name.remove_prefix(2);
    return !name.empty() && is_host_name(name);
}

/// RFC 6749 §3.3; it is put into JSON as it is.
bool is_token_scope(std::string_view scope) {
    constexpr std::size_t octets_max = 256;
    const auto is_octet = [](char c) { return c >= 0x20 && c < 0x7F && c != '"' && c != '\\'; };
    return scope.size() <= octets_max && std::ranges::all_of(scope, is_octet);
}

class DocumentChecker {
public:
    DocumentChecker(ConfigDocument& document, const std::string& path, Findings& errors)
        : document_(document), lookup_(document, path), path_(path), errors_(errors) {}

    Config check();

private:
    void check_entry(ConfigEntry& entry);
    void check_items(ConfigEntry& entry);
    void check_names();
    void check_missing();
    void check_missing_tables();
    void check_tls();
    void check_auth();
    void check_needed(std::string_view table, std::string_view by,
                      std::initializer_list<std::string_view> names);
    void warn(Config& config) const;

    void report(FilePosition at, std::string sentence) { errors_.add(at, std::move(sentence)); }
    bool is_meant(std::string_view path) const;

    ConfigDocument& document_;
    const ConfigLookup lookup_;
    const std::string& path_;
    Findings& errors_;
};

Config DocumentChecker::check() {
    for (ConfigEntry& entry : document_.entries) check_entry(entry);
    check_names();
    check_missing();
    check_missing_tables();
    check_tls();
    check_auth();
    Config config = build_config(lookup_, errors_);
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
        if (table.pattern == "tls.name.*") {
            if (is_server_name(name)) continue;
            report(table.at, in_quotes(name) + " is no host name: [tls.name.\"pop.example.net\"]");
            continue;
        }
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
            if (lookup_.find(table.path, row.name) != nullptr) continue;
            report(table.at, '[' + log_escaped(table.path) + "] needs " + std::string(row.name) +
                                 ": " + std::string(row.meaning));
        }
    }
}

void DocumentChecker::check_missing_tables() {
    if (lookup_.tables_of("listener.*").empty() && !is_meant("listener")) {
        report({}, "no listener: add [listener.pop3] with address = [\"127.0.0.1:110\"]");
    }
    if (lookup_.tables_of("storage").empty() && !is_meant("storage")) {
        report({}, "no mail: add [storage] with maildir = \"/var/vmail/{domain}/{local}\"");
    }
    const std::vector<const ConfigTable*> backends = lookup_.tables_of("auth.backend.*");
    if (backends.empty() && !is_meant("auth") && !is_meant("auth.backend")) {
        report({},
               "no users: add [auth.backend.local] with type = \"passwd-file\" and "
               "path = \"users\"");
    }
    for (std::size_t i = 1; i < backends.size(); ++i) {
        report(backends[i]->at, "more than one [auth.backend.NAME] is not in this version yet");
    }
}

/// What keys of TLS need one another.
void DocumentChecker::check_tls() {
    for (const ConfigTable* table : lookup_.tables_of("listener.*")) {
        const ConfigEntry* mode = lookup_.find(table->path, "tls");
        if (mode == nullptr || lookup_.choice<TlsMode>(table->path, "tls") == TlsMode::none)
            continue;
        if (!lookup_.tables_of("tls").empty() || is_meant("tls")) continue;
        report(mode->at, "tls = " + in_quotes(lookup_.text(table->path, "tls")) +
                             " needs a certificate: add [tls] with certificate and key");
    }
    for (const ConfigTable& table : document_.tables) {
        if (table.pattern != "tls" && table.pattern != "tls.name.*") continue;
        const ConfigEntry* certificate = lookup_.find(table.path, "alternative_certificate");
        const ConfigEntry* key = lookup_.find(table.path, "alternative_key");
        if ((certificate == nullptr) == (key == nullptr)) continue;
        report((certificate != nullptr ? certificate : key)->at,
               "alternative_certificate and alternative_key go together");
    }
    const ConfigEntry* asked = lookup_.find("tls", "client_certificates");
    if (asked != nullptr && lookup_.text("tls", "client_ca").empty() &&
        lookup_.text("tls", "client_certificates") != "none") {
        report(asked->at, "client_certificates needs client_ca: the file of those who issue them");
    }
}

/// What keys of tokens, masters and mechanisms need one another.
void DocumentChecker::check_auth() {
    const std::string type = lookup_.text("auth.token", "type");
    if (type == "jwt") check_needed("auth.token", "type", {"keys", "audience"});
    if (type == "introspection") check_needed("auth.token", "type", {"endpoint"});
    const ConfigEntry* scope = lookup_.find("auth.token", "scope");
    if (scope != nullptr && !is_token_scope(lookup_.text("auth.token", "scope"))) {
        report(scope->at,
               "scope takes words of RFC 6749, separated by spaces, such as \"mail pop\"");
    }
    const ConfigEntry* separator = lookup_.find("auth.master", "separator");
    if (separator != nullptr && lookup_.text("auth.master", "separator").size() > 1) {
        report(separator->at, "separator takes one character, such as \"*\"");
    }
}

void DocumentChecker::check_needed(std::string_view table, std::string_view by,
                                   std::initializer_list<std::string_view> names) {
    const ConfigEntry* entry = lookup_.find(table, by);
    for (const std::string_view name : names) {
        if (!lookup_.text(table, name).empty()) continue;
        report(entry->at, std::string(by) + " = " + in_quotes(lookup_.text(table, by)) + " needs " +
                              std::string(name) + ": " +
                              std::string(find_key(table, name)->meaning));
    }
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
    const auto takes_token = [](std::string_view name) {
        return name == "OAUTHBEARER" || name == "XOAUTH2";
    };
    if (config.auth.token.type == TokenType::none &&
        std::ranges::any_of(config.auth.mechanisms, takes_token)) {
        warnings.add(lookup_.find("auth", "mechanisms")->at,
                     "OAUTHBEARER and XOAUTH2 let nobody in: [auth.token] type is \"none\"");
    }
    if (config.storage.user == "root") {
        const ConfigEntry* user = lookup_.find("storage", "user");
        warnings.add(user->at,
                     "user = \"root\": a server started as root stays root; name a user "
                     "of its own that may read the mail");
    }
    if (!config.storage.maildir.empty() && !config.storage.maildir.contains('{')) {
        const ConfigEntry* maildir = lookup_.find("storage", "maildir");
        warnings.add(maildir->at, "maildir has no placeholder: every user opens the same maildir");
    }
    config.warnings = warnings.lines();
}

bool DocumentChecker::is_meant(std::string_view path) const {
    return std::ranges::any_of(document_.meant, [path](const std::string& meant) {
        return path == meant || (path.starts_with(meant) && path[meant.size()] == '.');
    });
}

}  // namespace

Config check_document(ConfigDocument& document, const std::string& path, Findings& errors) {
    return DocumentChecker(document, path, errors).check();
}

}  // namespace restante
