#include "server/config_schema.h"

#include <array>
#include <charconv>
#include <cstdint>

namespace restante {
namespace {

using enum KeyType;

// clang-format off: one key a paragraph
constexpr std::array schema = {
    KeyRow{.table = "",
           .name = "hostname",
           .type = text,
           .meaning = "name in APOP timestamps; \"\" = the machine's"},

    KeyRow{.table = "listener.*",
           .name = "address",
           .type = text_list,
           .is_required = true,
           .meaning = "IPv4:PORT or [IPv6]:PORT to listen on"},
    KeyRow{.table = "listener.*",
           .name = "tls",
           .type = choice,
           .fallback = "none",
           .choices = "none|starttls|required",
           .planned = "starttls|required",
           .meaning = "starttls: STLS is offered; required: TLS from the first octet"},
    KeyRow{.table = "listener.*",
           .name = "proxy_protocol",
           .type = boolean,
           .fallback = "false",
           .is_built = false,
           .meaning = "a PROXY v1 or v2 header is expected, from trusted_networks only"},
    KeyRow{.table = "listener.*",
           .name = "trusted_networks",
           .type = text_list,
           .is_built = false,
           .meaning = "networks whose PROXY header is believed"},

    KeyRow{.table = "tls",
           .name = "certificate",
           .type = text,
           .is_built = false,
           .meaning = "file of the certificate chain, PEM"},
    KeyRow{.table = "tls",
           .name = "key",
           .type = text,
           .is_built = false,
           .meaning = "file of the private key, PEM"},
    KeyRow{.table = "tls",
           .name = "min_version",
           .type = choice,
           .fallback = "1.2",
           .is_built = false,
           .choices = "1.2|1.3",
           .meaning = "oldest TLS version accepted"},

    KeyRow{.table = "storage",
           .name = "maildir",
           .type = text,
           .is_required = true,
           .meaning = "path of a user's maildir, of {user} {local} {domain} {home}"},
    KeyRow{.table = "storage",
           .name = "index",
           .type = text,
           .is_built = false,
           .meaning = "where indexes are kept; \"\" = in the maildir"},
    KeyRow{.table = "storage",
           .name = "user",
           .type = text,
           .fallback = "vmail",
           .meaning = "user to become after binding, when started as root; \"root\" = stay"},

    KeyRow{.table = "auth",
           .name = "allow_cleartext",
           .type = boolean,
           .fallback = "false",
           .meaning = "USER/PASS, PLAIN and LOGIN are taken without TLS"},
    KeyRow{.table = "auth",
           .name = "mechanisms",
           .type = choice_list,
           .fallback = "PLAIN|LOGIN",
           .choices = "PLAIN|LOGIN|CRAM-MD5|DIGEST-MD5|SCRAM-SHA-1|SCRAM-SHA-256|"
                      "OAUTHBEARER|XOAUTH2|EXTERNAL",
           .planned = "CRAM-MD5|DIGEST-MD5|SCRAM-SHA-1|SCRAM-SHA-256|OAUTHBEARER|XOAUTH2|EXTERNAL",
           .meaning = "SASL mechanisms of AUTH (RFC 5034)"},
    KeyRow{.table = "auth",
           .name = "cache_ttl",
           .type = duration,
           .fallback = "5m",
           .least = "0s",
           .most = "1d",
           .meaning = "how long a verified password is remembered; \"0s\" = not at all"},
    KeyRow{.table = "auth",
           .name = "default_domain",
           .type = text,
           .meaning = "appended to user names without @; \"\" = nothing is"},
    KeyRow{.table = "auth",
           .name = "username_case",
           .type = choice,
           .fallback = "lower",
           .choices = "lower|keep",
           .meaning = "lower: names are lower-cased before look-up"},

    KeyRow{.table = "auth.backend.*",
           .name = "type",
           .type = choice,
           .is_required = true,
           .choices = "passwd-file",
           .meaning = "kind of user database"},
    KeyRow{.table = "auth.backend.*",
           .name = "path",
           .type = text,
           .is_required = true,
           .meaning = "the passwd-file; read again when it changes"},

    KeyRow{.table = "pop3",
           .name = "apop",
           .type = boolean,
           .fallback = "false",
           .meaning = "APOP is offered (RFC 1939 section 7); needs {PLAIN} secrets"},
    KeyRow{.table = "pop3",
           .name = "unique_id",
           .type = choice,
           .fallback = "auto",
           .choices = "auto|filename|dovecot|courier",
           .meaning = "auto: those of a former server's list beside the mail, else of the name"},
    KeyRow{.table = "pop3",
           .name = "dovecot_uidl_format",
           .type = text,
           .fallback = "%08Xu%08Xv",
           .meaning = "pop3_uidl_format of the former Dovecot, 2.3 or 2.4 syntax"},
    KeyRow{.table = "pop3",
           .name = "durable",
           .type = boolean,
           .fallback = "true",
           .meaning = "fsync before the +OK to QUIT"},

    KeyRow{.table = "limits",
           .name = "connections",
           .type = integer,
           .fallback = "100000",
           .least = "1",
           .most = "1000000",
           .meaning = "open at a time, over all listeners"},
    KeyRow{.table = "limits",
           .name = "connections_per_ip",
           .type = integer,
           .fallback = "0",
           .is_built = false,
           .least = "0",
           .most = "1000000",
           .meaning = "open at a time from one address; 0 = no limit"},
    KeyRow{.table = "limits",
           .name = "login_timeout",
           .type = duration,
           .fallback = "3m",
           .least = "1s",
           .most = "1h",
           .meaning = "from connect to login, absolute"},
    KeyRow{.table = "limits",
           .name = "idle_timeout",
           .type = duration,
           .fallback = "10m",
           .least = "10m",
           .most = "1d",
           .meaning = "without a command after login (RFC 1939 section 3: at least 10m)"},
    KeyRow{.table = "limits",
           .name = "failed_delay",
           .type = duration,
           .fallback = "2s",
           .least = "0s",
           .most = "1m",
           .meaning = "before the reply to a failed login"},
    KeyRow{.table = "limits",
           .name = "failed_delay_max",
           .type = duration,
           .fallback = "30s",
           .least = "0s",
           .most = "5m",
           .meaning = "what failed_delay grows to"},
    KeyRow{.table = "limits",
           .name = "drain_timeout",
           .type = duration,
           .fallback = "30s",
           .least = "0s",
           .most = "1d",
           .meaning = "for sessions to end after SIGTERM"},

    KeyRow{.table = "runtime",
           .name = "backend",
           .type = choice,
           .fallback = "auto",
           .choices = "auto|uring|epoll",
           .planned = "epoll",
           .meaning = "kernel interface of the reactors"},
    KeyRow{.table = "runtime",
           .name = "reactors",
           .type = integer,
           .fallback = "0",
           .least = "0",
           .most = "1024",
           .meaning = "threads; 0 = one a core"},

    KeyRow{.table = "delivery",
           .name = "strategy",
           .type = choice,
           .fallback = "auto",
           .choices = "auto|copy|sendfile|splice|mmap|mmap_zerocopy|uring_splice",
           .meaning = "how messages reach the socket"},

    KeyRow{.table = "log",
           .name = "level",
           .type = choice,
           .fallback = "info",
           .choices = "debug|info|warn|error",
           .meaning = "the least that is logged"},
    KeyRow{.table = "log",
           .name = "ident",
           .type = text,
           .fallback = "restante",
           .meaning = "name before each line; \"dovecot\" makes stock ban filters match"},
    KeyRow{.table = "log",
           .name = "format",
           .type = choice,
           .fallback = "text",
           .choices = "text|logfmt|json",
           .planned = "logfmt|json",
           .meaning = "of a line"},
    KeyRow{.table = "log",
           .name = "target",
           .type = text,
           .fallback = "stderr",
           .meaning = "stderr or file:PATH"},

    KeyRow{.table = "metrics",
           .name = "address",
           .type = text,
           .is_built = false,
           .meaning = "where metrics are served; \"\" = nowhere"},
    KeyRow{.table = "admin",
           .name = "socket",
           .type = text,
           .is_built = false,
           .meaning = "path of the administration socket; \"\" = none"},
};
// clang-format on

constexpr std::array<std::string_view, 15> tables = {
    "listener",       "listener.*", "tls",    "storage", "auth",     "auth.backend",
    "auth.backend.*", "pop3",       "limits", "runtime", "delivery", "log",
    "metrics",        "admin",      "",
};

struct Unit {
    std::string_view suffix;
    Duration length;
};
constexpr Unit units[] = {
    {"ms", std::chrono::milliseconds(1)}, {"s", std::chrono::seconds(1)},
    {"m", std::chrono::minutes(1)},       {"h", std::chrono::hours(1)},
    {"d", std::chrono::days(1)},
};

}  // namespace

std::span<const KeyRow> config_schema() { return schema; }

std::span<const std::string_view> config_tables() { return tables; }

bool is_planned_table(std::string_view table) { return table == "tls"; }

const KeyRow* find_key(std::string_view table, std::string_view name) {
    for (const KeyRow& row : schema) {
        if (row.table == table && row.name == name) return &row;
    }
    return nullptr;
}

std::vector<std::string_view> split_choices(std::string_view choices) {
    std::vector<std::string_view> names;
    while (!choices.empty()) {
        const std::size_t bar = choices.find('|');
        names.push_back(choices.substr(0, bar));
        choices = bar == std::string_view::npos ? std::string_view{} : choices.substr(bar + 1);
    }
    return names;
}

std::optional<Duration> parse_duration(std::string_view text) {
    if (text.empty() || text.front() < '0' || text.front() > '9') return std::nullopt;
    const char* end = text.data() + text.size();
    std::int64_t count = 0;
    const auto [after, error] = std::from_chars(text.data(), end, count);
    if (error != std::errc{}) return std::nullopt;
    const std::string_view suffix(after, end);
    for (const Unit& unit : units) {
        if (suffix != unit.suffix) continue;
        if (count > Duration::max() / unit.length) return std::nullopt;
        return count * unit.length;
    }
    return std::nullopt;
}

}  // namespace restante
