#include "server/config_schema.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>

#include "server/config_auth_keys.h"

namespace restante {
namespace {

using enum KeyType;

// clang-format off: one key a paragraph
constexpr std::array before_auth = {
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
           .is_required = true,
           .meaning = "file of the certificate chain, PEM; read again when it changes"},
    KeyRow{.table = "tls",
           .name = "key",
           .type = text,
           .is_required = true,
           .meaning = "file of the private key, PEM; the service user must be able to read it"},
    KeyRow{.table = "tls",
           .name = "ocsp_response",
           .type = text,
           .meaning = "file of an OCSP response (DER) to staple; \"\" = none"},
    KeyRow{.table = "tls",
           .name = "alternative_certificate",
           .type = text,
           .meaning = "a second chain, of another key type (ECDSA beside RSA)"},
    KeyRow{.table = "tls", .name = "alternative_key", .type = text, .meaning = "its private key"},
    KeyRow{.table = "tls",
           .name = "alternative_ocsp_response",
           .type = text,
           .meaning = "its OCSP response"},
    KeyRow{.table = "tls",
           .name = "min_version",
           .type = choice,
           .fallback = "1.2",
           .choices = "1.2|1.3",
           .meaning = "oldest TLS version accepted"},
    KeyRow{.table = "tls",
           .name = "ticket_keys",
           .type = text,
           .meaning =
               "file of 80-octet session ticket keys, the first one issues; \"\" = own, rotating"},
    KeyRow{.table = "tls",
           .name = "client_certificates",
           .type = choice,
           .fallback = "none",
           .choices = "none|ask|require",
           .meaning = "whether clients are asked for one (AUTH EXTERNAL)"},
    KeyRow{.table = "tls",
           .name = "client_ca",
           .type = text,
           .meaning = "file of those who issue client certificates, PEM"},
    KeyRow{.table = "tls",
           .name = "kernel",
           .type = boolean,
           .fallback = "true",
           .meaning = "the kernel encrypts what is sent, where it can"},

    KeyRow{.table = "tls.name.*",
           .name = "certificate",
           .type = text,
           .is_required = true,
           .meaning = "file of the certificate chain, PEM; read again when it changes"},
    KeyRow{.table = "tls.name.*",
           .name = "key",
           .type = text,
           .is_required = true,
           .meaning = "file of the private key, PEM; the service user must be able to read it"},
    KeyRow{.table = "tls.name.*",
           .name = "ocsp_response",
           .type = text,
           .meaning = "file of an OCSP response (DER) to staple; \"\" = none"},
    KeyRow{.table = "tls.name.*",
           .name = "alternative_certificate",
           .type = text,
           .meaning = "a second chain, of another key type (ECDSA beside RSA)"},
    KeyRow{.table = "tls.name.*",
           .name = "alternative_key",
           .type = text,
           .meaning = "its private key"},
    KeyRow{.table = "tls.name.*",
           .name = "alternative_ocsp_response",
           .type = text,
           .meaning = "its OCSP response"},

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
};

constexpr std::array behind_auth = {
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
           .least = "0",
           .most = "1000000",
           .meaning = "open at a time from one address (IPv6: one /64); 0 = no limit"},
    KeyRow{.table = "limits",
           .name = "sessions_per_user",
           .type = integer,
           .fallback = "0",
           .least = "0",
           .most = "1000000",
           .meaning = "logged in at a time with one user name; 0 = no limit"},
    KeyRow{.table = "limits",
           .name = "index_memory",
           .type = integer,
           .fallback = "4096",
           .least = "64",
           .most = "1048576",
           .meaning = "MiB for the indexes of maildrops that are open or listed anew"},
    KeyRow{.table = "limits",
           .name = "index_cache",
           .type = integer,
           .fallback = "1024",
           .least = "0",
           .most = "1048576",
           .meaning = "MiB for the indexes of maildrops that were open, of all reactors"},
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
           .meaning = "kernel interface of the reactors"},
    KeyRow{.table = "runtime",
           .name = "reactors",
           .type = integer,
           .fallback = "0",
           .least = "0",
           .most = "1024",
           .meaning = "threads; 0 = one a core"},
    KeyRow{.table = "runtime",
           .name = "confine",
           .type = boolean,
           .fallback = "true",
           .meaning = "files and ports only as configured (Landlock)"},

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

template <std::size_t... counts>
constexpr auto joined(const std::array<KeyRow, counts>&... parts) {
    std::array<KeyRow, (counts + ...)> all{};
    auto next = all.begin();
    ((next = std::ranges::copy(parts, next).out), ...);
    return all;
}

constexpr std::array schema = joined(before_auth, config_keys::auth, behind_auth);

constexpr std::array<std::string_view, 19> tables = {
    "listener",       "listener.*",  "tls",        "tls.name",
    "tls.name.*",     "storage",     "auth",       "auth.backend",
    "auth.backend.*", "auth.master", "auth.token", "pop3",
    "limits",         "runtime",     "delivery",   "log",
    "metrics",        "admin",       "",
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
