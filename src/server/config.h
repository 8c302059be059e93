#pragma once
/// The configuration file (TOML), checked: what the rest of the server reads.

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "maildir/delivery.h"
#include "net/tls_mode.h"
#include "net/tls_settings.h"
#include "ring/ring_choice.h"
#include "ring/socket_address.h"

namespace restante {

inline constexpr std::string_view default_config_path = "/etc/restante/restante.toml";

enum class UsernameCase : std::uint8_t { lower, keep };
enum class UniqueIdMode : std::uint8_t { automatic, filename, dovecot, courier };
struct ListenerConfig {
    std::string name;  ///< as in [listener.NAME]
    std::vector<SocketAddress> addresses;
    TlsMode tls = TlsMode::none;
};

struct TlsConfig {
    TlsSettings settings;
    bool kernel = true;  ///< the kernel encrypts what is sent, where it can
};

struct StorageConfig {
    std::string maildir;  ///< path template, absolute
    std::string user = "vmail";
};

struct BackendConfig {
    std::string name;  ///< as in [auth.backend.NAME]
    std::string path;  ///< absolute
};

struct MasterConfig {
    std::string path;       ///< passwd-file, absolute; "" = nobody is a master
    std::string separator;  ///< one octet; "" = only an authorization identity makes one
};

enum class TokenType : std::uint8_t { none, jwt, introspection };
struct TokenConfig {
    TokenType type = TokenType::none;
    std::string user_claim;  ///< "" = what is usual for the type
    std::string issuer;
    std::string audience;
    std::string scope;
    Duration leeway{};
    std::string keys;      ///< jwt: file, absolute
    std::string endpoint;  ///< introspection: URL
    std::string client_id;
    std::string client_secret;
    std::string ca_file;  ///< absolute; "" = the system's
    Duration timeout{};
};

struct AuthConfig {
    bool allow_cleartext = false;
    std::vector<std::string> mechanisms = {"PLAIN", "LOGIN"};
    Duration cache_ttl = std::chrono::minutes(5);  ///< 0 = every login is hashed
    std::string default_domain;
    UsernameCase username_case = UsernameCase::lower;
    std::uint64_t hash_memory_mib = 1024;           ///< of all hashes under way
    Duration hash_wait = std::chrono::seconds(10);  ///< of a login for its hash
    BackendConfig backend;
    MasterConfig master;
    TokenConfig token;
};

struct Pop3Config {
    bool apop = false;
    UniqueIdMode unique_id = UniqueIdMode::automatic;
    std::string dovecot_uidl_format = "%08Xu%08Xv";
    bool durable = true;
};

struct LimitsConfig {
    std::uint32_t connections = 100000;
    std::uint32_t connections_per_ip = 0;   ///< 0 = no limit
    std::uint32_t sessions_per_user = 0;    ///< 0 = no limit
    std::uint64_t index_memory_mib = 4096;  ///< of all maildrops' indexes
    std::uint64_t index_cache_mib = 1024;   ///< of maildrops that were open, of all reactors
    Duration login_timeout = std::chrono::minutes(3);
    Duration idle_timeout = std::chrono::minutes(10);
    Duration failed_delay = std::chrono::seconds(2);
    Duration failed_delay_max = std::chrono::seconds(30);
    Duration drain_timeout = std::chrono::seconds(30);
};

struct RuntimeConfig {
    RingBackend backend = RingBackend::automatic;
    std::uint32_t reactors = 0;  ///< 0 = one a core
    bool confine = true;         ///< Landlock
};

struct LogConfig {
    LogLevel level = LogLevel::info;
    std::string ident = "restante";
    std::string file;  ///< "" = stderr
};

struct Config {
    std::string hostname;  ///< of APOP timestamps; the machine's where the file has none
    std::vector<ListenerConfig> listeners;
    std::optional<TlsConfig> tls;  ///< there where a listener needs it
    StorageConfig storage;
    AuthConfig auth;
    Pop3Config pop3;
    LimitsConfig limits;
    RuntimeConfig runtime;
    DeliveryStrategy delivery = DeliveryStrategy::automatic;
    LogConfig log;
    /// What is allowed but hardly meant, one "file: sentence" each; for `serve` to log at its
    /// start.
    std::vector<std::string> warnings;
};

/// What is wrong, one "file:line:column: sentence" each, in file order; then, without a place, what
/// the file as a whole lacks: "file: sentence". Never empty.
using ConfigErrors = std::vector<std::string>;

/// Reads and checks `path`. Relative paths in it are taken relative to its folder.
std::expected<Config, ConfigErrors> load_config(const std::string& path);
/// The text of the file at `path`, at most 1 MiB of it; the error is "path: cannot be read: cause".
std::expected<std::string, std::string> read_config_text(const std::string& path);
/// load_config() from `text`; `path` is what errors name, and its folder the base of relative
/// paths.
std::expected<Config, ConfigErrors> parse_config(std::string_view text, const std::string& path);

/// Keys of `text` whose value is not the default, one "key = value" a line, in the order of the
/// schema (`restante config`); with `all`, every key with its meaning. The output is TOML. `text`
/// has passed parse_config().
std::string describe_config(std::string_view text, const std::string& path, bool all);

}  // namespace restante
