// Configuration files: refused with findings of one printable line each, or a Config; what
// describe_config() writes of a sound file is sound, means the same and says it in the same words.
// Input: an octet (odd: the smallest sound file stands before the rest), then the file.
#include <string>

#include "base/assert.h"
#include "fuzz/input.h"
#include "fuzz/target.h"
#include "server/config.h"

namespace restante::fuzz {
namespace {

constexpr std::string_view smallest =
    "listener.pop3.address = [\"127.0.0.1:110\"]\n"
    "storage.maildir = \"/var/vmail/{user}\"\n"
    "auth.allow_cleartext = true\n"
    "auth.backend.local.type = \"passwd-file\"\n"
    "auth.backend.local.path = \"users\"\n"
    "hostname = \"pop.example.org\"\n";

void check_errors(const ConfigErrors& errors, const std::string& path) {
    ASSERT(!errors.empty());
    for (std::string error : errors) {
        ASSERT(error.starts_with(path + ':'));
        const std::size_t sign = error.find("\u00A7");  // before an RFC's section: our own
        if (sign != std::string::npos) error.erase(sign, 2);
        for (const char octet : error) ASSERT(octet >= ' ' && octet <= '~');
    }
}

void check_same(const Config& a, const Config& b) {
    ASSERT(a.listeners.size() == b.listeners.size());
    ASSERT(a.storage.maildir == b.storage.maildir && a.storage.user == b.storage.user);
    ASSERT(a.auth.mechanisms == b.auth.mechanisms && a.auth.cache_ttl == b.auth.cache_ttl);
    ASSERT(a.auth.backend.path == b.auth.backend.path && a.auth.master.path == b.auth.master.path);
    ASSERT(a.limits.idle_timeout == b.limits.idle_timeout);
    ASSERT(a.pop3.dovecot_uidl_format == b.pop3.dovecot_uidl_format);
    ASSERT(a.tls.has_value() == b.tls.has_value());
    ASSERT(a.warnings.size() == b.warnings.size());
}

}  // namespace

void fuzz_config(std::string_view input) {
    Input parts(input);
    const std::string before(parts.octet() % 2 == 1 ? smallest : "");
    const std::string text = before + std::string(parts.rest());
    const std::string path = "/etc/restante/restante.toml";
    const std::expected<Config, ConfigErrors> config = parse_config(text, path);
    if (!config) return check_errors(config.error(), path);
    ASSERT(!config->listeners.empty());
    for (const bool all : {false, true}) {
        const std::string described = describe_config(text, path, all);
        const std::expected<Config, ConfigErrors> again = parse_config(described, path);
        ASSERT(again.has_value());
        check_same(*config, *again);
        ASSERT(describe_config(described, path, all) == described);
    }
}

}  // namespace restante::fuzz
