#include "server/config.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iterator>

#include "server/config_schema.h"
#include "unit/config_text.h"

using namespace restante;
using namespace std::chrono_literals;

namespace {

/// A file of this test's own, removed at the end.
class ScratchFile {
public:
    ScratchFile() {
        const int descriptor = ::mkstemp(path_.data());
        REQUIRE(descriptor >= 0);
        ::close(descriptor);
    }
    ~ScratchFile() { ::unlink(path_.c_str()); }
    ScratchFile(const ScratchFile&) = delete;
    ScratchFile& operator=(const ScratchFile&) = delete;
    const std::string& path() const { return path_; }
    void write(std::string_view text) const { std::ofstream(path_, std::ios::binary) << text; }

private:
    std::string path_ = "/tmp/restante_config_test_XXXXXX";
};

}  // namespace

TEST_CASE("the smallest configuration leaves everything else at its default") {
    const Config config = config_of(smallest);
    const Config defaults;
    REQUIRE(config.listeners.size() == 1);
    CHECK(config.listeners[0].name == "pop3");
    CHECK(config.listeners[0].addresses.at(0).text() == "127.0.0.1:110");
    CHECK(config.listeners[0].tls == TlsMode::none);
    CHECK_FALSE(config.hostname.empty());
    CHECK(config.storage.maildir == "/var/vmail/{user}");
    CHECK(config.storage.user == defaults.storage.user);
    CHECK(config.auth.backend.name == "local");
    CHECK(config.auth.backend.path == "/etc/r/users");
    CHECK(config.auth.mechanisms == defaults.auth.mechanisms);
    CHECK(config.auth.cache_ttl == defaults.auth.cache_ttl);
    CHECK(config.auth.default_domain == defaults.auth.default_domain);
    CHECK(config.auth.username_case == defaults.auth.username_case);
    CHECK(config.pop3.apop == defaults.pop3.apop);
    CHECK(config.pop3.unique_id == defaults.pop3.unique_id);
    CHECK(config.pop3.dovecot_uidl_format == defaults.pop3.dovecot_uidl_format);
    CHECK(config.pop3.durable == defaults.pop3.durable);
    CHECK(config.limits.connections == defaults.limits.connections);
    CHECK(config.limits.login_timeout == defaults.limits.login_timeout);
    CHECK(config.limits.idle_timeout == defaults.limits.idle_timeout);
    CHECK(config.limits.failed_delay == defaults.limits.failed_delay);
    CHECK(config.limits.failed_delay_max == defaults.limits.failed_delay_max);
    CHECK(config.limits.drain_timeout == defaults.limits.drain_timeout);
    CHECK(config.runtime.reactors == defaults.runtime.reactors);
    CHECK(config.delivery == defaults.delivery);
    CHECK(config.log.level == defaults.log.level);
    CHECK(config.log.ident == defaults.log.ident);
    CHECK(config.log.file == defaults.log.file);
    CHECK(config.warnings.empty());
}

TEST_CASE("every key reaches its place") {
    const Config config = config_of(
        "hostname = \"pop.example.org\"\n"
        "[listener.b]\naddress = [\"127.0.0.1:1110\", \"[::1]:1110\"]\ntls = \"none\"\n"
        "[listener.a]\naddress = [\"0.0.0.0:0\"]\nproxy_protocol = false\ntrusted_networks = []\n"
        "[storage]\nmaildir = \"../mail/{domain}/{local}\"\nindex = \"\"\nuser = \"mail\"\n"
        "[auth]\nallow_cleartext = true\nmechanisms = [\"LOGIN\"]\ncache_ttl = \"90s\"\n"
        "default_domain = \"example.org\"\nusername_case = \"keep\"\n"
        "[auth.backend.main]\ntype = \"passwd-file\"\npath = \"/srv/users\"\n"
        "[pop3]\napop = true\nunique_id = \"courier\"\ndovecot_uidl_format = \"%v.%u\"\n"
        "durable = false\n"
        "[limits]\nconnections = 7\nconnections_per_ip = 0\nlogin_timeout = \"90s\"\n"
        "idle_timeout = \"1h\"\nfailed_delay = \"250ms\"\nfailed_delay_max = \"1s\"\n"
        "drain_timeout = \"1d\"\n"
        "[runtime]\nbackend = \"uring\"\nreactors = 3\n[delivery]\nstrategy = \"copy\"\n"
        "[log]\nlevel = \"error\"\nident = \"dovecot\"\nformat = \"text\"\ntarget = "
        "\"file:a.log\"\n"
        "[metrics]\naddress = \"\"\n[admin]\nsocket = \"\"\n");
    CHECK(config.hostname == "pop.example.org");
    REQUIRE(config.listeners.size() == 2);
    CHECK(config.listeners[0].name == "b");  // in file order
    CHECK(config.listeners[0].addresses.at(1).text() == "[::1]:1110");
    CHECK(config.listeners[1].name == "a");
    CHECK(config.storage.maildir == "/etc/mail/{domain}/{local}");
    CHECK(config.storage.user == "mail");
    CHECK(config.auth.allow_cleartext);
    CHECK(config.auth.mechanisms == std::vector<std::string>{"LOGIN"});
    CHECK(config.auth.cache_ttl == 90s);
    CHECK(config.auth.default_domain == "example.org");
    CHECK(config.auth.username_case == UsernameCase::keep);
    CHECK(config.auth.backend.name == "main");
    CHECK(config.auth.backend.path == "/srv/users");
    CHECK(config.pop3.apop);
    CHECK(config.pop3.unique_id == UniqueIdMode::courier);
    CHECK(config.pop3.dovecot_uidl_format == "%v.%u");
    CHECK_FALSE(config.pop3.durable);
    CHECK(config.limits.connections == 7);
    CHECK(config.limits.login_timeout == 90s);
    CHECK(config.limits.idle_timeout == 1h);
    CHECK(config.limits.failed_delay == 250ms);
    CHECK(config.limits.failed_delay_max == 1s);
    CHECK(config.limits.drain_timeout == 24h);
    CHECK(config.runtime.backend == RingBackend::uring);
    CHECK(config.runtime.reactors == 3);
    CHECK(config.delivery == DeliveryStrategy::copy);
    CHECK(config.log.level == LogLevel::error);
    CHECK(config.log.ident == "dovecot");
    CHECK(config.log.file == "/etc/r/a.log");
}

TEST_CASE("choices stand in the order of their enums") {
    const auto choices_of = [](std::string_view table, std::string_view name) {
        return split_choices(find_key(table, name)->choices);
    };
    using Names = std::vector<std::string_view>;
    CHECK(choices_of("listener.*", "tls") == Names{"none", "starttls", "required"});
    CHECK(choices_of("auth", "username_case") == Names{"lower", "keep"});
    CHECK(choices_of("pop3", "unique_id") == Names{"auto", "filename", "dovecot", "courier"});
    CHECK(choices_of("delivery", "strategy") ==
          Names{"auto", "copy", "sendfile", "splice", "mmap", "mmap_zerocopy", "uring_splice"});
    CHECK(choices_of("log", "level") == Names{"debug", "info", "warn", "error"});
}

TEST_CASE("an unknown key is an error with its place and the nearest name") {
    CHECK(error_of("[limits]\nidle_timeot = \"10m\"\n") ==
          R"(12:1: unknown key "idle_timeot" in [limits]; did you mean "idle_timeout"?)");
    CHECK(error_of("[limits]\n  connection = 5\n") ==
          R"(12:3: unknown key "connection" in [limits]; did you mean "connections"?)");
    CHECK(error_of("pop3.durabel = true\n") == "11:1: unknown table [auth.backend.local.pop3]");
    CHECK(errors_of("hostnam = \"x\"\n" + std::string(smallest)) ==
          "/etc/r/f.toml:1:1: unknown key \"hostnam\" at the top of the file; "
          "did you mean \"hostname\"?");
    CHECK(error_of("[limits]\napop = true\n") ==
          R"(12:1: unknown key "apop" in [limits]; it belongs in [pop3])");
    CHECK(error_of("[limits]\nxyzzy = 1\n") == R"(12:1: unknown key "xyzzy" in [limits])");
}

TEST_CASE("an unknown table is an error with its place and the nearest name") {
    CHECK(error_of("[limts]\nx = 1\n") == "11:2: unknown table [limts]; did you mean [limits]?");
    CHECK(error_of("[auth.backnd.x]\n") ==
          "11:7: unknown table [auth.backnd]; did you mean [auth.backend]?");
    CHECK(error_of("[[listenr]]\n") == "11:3: unknown table [listenr]; did you mean [listener]?");
    CHECK(error_of("[xyzzy]\n") == "11:2: unknown table [xyzzy]");
    CHECK(error_of("[listener.pop3.more]\n") == "11:16: unknown table [listener.pop3.more]");
}

TEST_CASE("what a misspelt name stands for is not reported as missing too") {
    CHECK(errors_of(replaced(std::string(smallest), "[listener.pop3]", "[listner.pop3]")) ==
          "/etc/r/f.toml:1:2: unknown table [listner]; did you mean [listener]?");
    CHECK(errors_of(replaced(std::string(smallest), "maildir", "mail_dir")) ==
          "/etc/r/f.toml:4:1: unknown key \"mail_dir\" in [storage]; did you mean \"maildir\"?");
    CHECK(errors_of(replaced(std::string(smallest), "[auth.backend.local]", "[auth.backends.l]")) ==
          "/etc/r/f.toml:7:7: unknown table [auth.backends]; did you mean [auth.backend]?");
}

TEST_CASE("a value of the wrong type is an error at the value") {
    CHECK(error_of("[pop3]\napop = \"yes\"\n") == "12:8: apop takes true or false, not a text");
    CHECK(error_of("[limits]\nconnections = \"5\"\n") ==
          "12:15: connections takes a whole number, not a text");
    CHECK(error_of("[limits]\nconnections = 5.0\n") ==
          "12:15: connections takes a whole number, not a number with a fraction");
    CHECK(error_of("[limits]\nidle_timeout = 600\n") ==
          R"(12:16: idle_timeout takes a duration in quotes, such as "5m", not a number)");
    CHECK(error_of("[log]\nlevel = true\n") ==
          "12:9: level takes a text in quotes, not true or false");
    CHECK(error_of("[log]\nlevel = 2024-01-01\n") ==
          "12:9: level takes a text in quotes, not a date or time");
    CHECK(error_of("[listener.x]\naddress = \"127.0.0.1:1\"\n") ==
          R"(12:11: address takes a list of texts in quotes, such as ["..."], not a text)");
    CHECK(error_of("[listener.x]\naddress = [\"127.0.0.1:1\", 2]\n") ==
          "12:27: address is a list of texts in quotes; this is a number");
    CHECK(error_of("[log.level]\n") == "11:1: level takes a text in quotes, not a table");
    CHECK(error_of("[[listener.x]]\n") == "11:12: \"x\" belongs in a table [listener.NAME]");
    CHECK(errors_of("limits = 5\n" + std::string(smallest)) ==
          "/etc/r/f.toml:1:1: \"limits\" is a table: write [limits]");
}

TEST_CASE("integers and durations have bounds, both ends included") {
    CHECK(error_of("[limits]\nconnections = 1\n") == "");
    CHECK(error_of("[limits]\nconnections = 1000000\n") == "");
    CHECK(error_of("[limits]\nconnections = 0\n") ==
          "12:15: connections is from 1 to 1000000, not 0");
    CHECK(error_of("[limits]\nconnections = 1000001\n") ==
          "12:15: connections is from 1 to 1000000, not 1000001");
    CHECK(error_of("[runtime]\nreactors = -1\n") == "12:12: reactors is from 0 to 1024, not -1");
    CHECK(error_of("[limits]\nlogin_timeout = \"1h\"\n") == "");
    CHECK(error_of("[limits]\nlogin_timeout = \"3601s\"\n") ==
          R"(12:17: login_timeout is from 1s to 1h, not "3601s")");
    CHECK(error_of("[limits]\nfailed_delay = \"40s\"\n") ==
          "12:16: failed_delay_max is less than failed_delay");
}

TEST_CASE("RFC 1939 §3: an inactivity timer below ten minutes is an error") {
    CHECK(error_of("[limits]\nidle_timeout = \"600s\"\n") == "");
    CHECK(error_of("[limits]\nidle_timeout = \"599999ms\"\n") ==
          "12:16: idle_timeout is at least 10m (RFC 1939 §3: the inactivity timer), not "
          "\"599999ms\"");
}

TEST_CASE("a duration is a whole number and ms, s, m, h or d") {
    CHECK(parse_duration("0s") == 0s);
    CHECK(parse_duration("250ms") == 250ms);
    CHECK(parse_duration("5m") == 5min);
    CHECK(parse_duration("2h") == 2h);
    CHECK(parse_duration("106751d") == 24h * 106751);
    for (const char* bad : {"", "5", "m", "5 m", " 5m", "5m ", "-5m", "+5m", "5.5m", "5min", "5M",
                            "1h30m", "106752d", "9223372036854775807s", "99999999999999999999s"}) {
        CAPTURE(bad);
        CHECK_FALSE(parse_duration(bad));
    }
    CHECK(error_of("[limits]\ndrain_timeout = \"5 min\"\n") ==
          "12:17: drain_timeout takes a duration such as \"5m\" (a whole number and ms, s, m, h or "
          "d), not \"5 min\"");
}

TEST_CASE("a choice takes its names only, and the nearest is suggested") {
    CHECK(
        error_of("[log]\nlevel = \"inof\"\n") ==
        "12:9: level takes \"debug\", \"info\", \"warn\" or \"error\", not \"inof\"; did you mean "
        "\"info\"?");
    CHECK(
        error_of("[pop3]\nunique_id = \"xyzzy\"\n") ==
        "12:13: unique_id takes \"auto\", \"filename\", \"dovecot\" or \"courier\", not \"xyzzy\"");
}

TEST_CASE("mechanisms are known, built and there once") {
    const auto error_with = [](std::string_view list) {
        return errors_of(replaced(std::string(smallest), "allow_cleartext = true",
                                  "mechanisms = " + std::string(list)));
    };
    CHECK(error_with("[]") == "");
    CHECK(error_with("[\"PLAIN\", \"PLAIN\"]") == "/etc/r/f.toml:6:24: \"PLAIN\" is there twice");
    CHECK(error_with("[\"plain\"]").ends_with("not \"plain\"; did you mean \"PLAIN\"?"));
    CHECK(error_with("[\"SCRAM-SHA-256\", \"CRAM-MD5\"]") == "");
}

TEST_CASE("an address of a listener is one, and no listener takes another's") {
    CHECK(error_of("[listener.x]\naddress = [\"127.0.0.1:1\",\n  \"localhost:110\"]\n") ==
          R"(13:3: "localhost" is not an IPv4 address (names are not looked up))");
    CHECK(error_of("[listener.x]\naddress = []\n") ==
          R"(12:11: address takes 1 to 64 addresses, such as ["127.0.0.1:110"])");
    CHECK(error_of("[listener.x]\naddress = [\"127.0.0.1:0110\"]\n") ==
          R"(12:12: "127.0.0.1:0110" is listened on twice)");
    CHECK(error_of("[listener.x]\naddress = [\"127.0.0.1:0\", \"127.0.0.1:0\"]\n") == "");
    CHECK(error_of("[listener.\"a b\"]\naddress = [\"127.0.0.1:1\"]\n") ==
          "11:1: \"a b\" is no name for a listener or backend: it takes 1 to 32 letters, digits, "
          "\"-\" and \"_\"");
}

TEST_CASE("a key set twice is an error") {
    CHECK(error_of("[pop3]\napop = true\napop = true\n").starts_with("13:"));
    CHECK(error_of("[pop3]\napop = true\napop = true\n")
              .ends_with("TOML: key-value pair: cannot redefine existing boolean 'apop'"));
    CHECK(error_of("[storage]\n") ==
          "11:1: TOML: table header: cannot redefine existing table 'storage'");
}

TEST_CASE("an error of TOML syntax has its place") {
    CHECK(error_of("[log\n") == "11:5: TOML: table header: expected ']', saw '\\x5cn'");
    CHECK(error_of("[limits]\nidle_timeout = 10m\n") ==
          "12:18: TOML: decimal integer: expected digit, saw 'm' (texts and durations are written "
          "in quotes, such as \"10m\")");
    CHECK(error_of("x = \"\xff\"\n") == "11:5: TOML: Encountered invalid utf-8 sequence");
    CHECK(error_of(std::string_view("\0", 1)).starts_with("11:1: TOML: "));
}

TEST_CASE("what breaks an assertion of the TOML library is an error with its place") {
    CHECK(error_of("[}\n") == "11:2: TOML: this cannot stand here");
    CHECK(error_of("# \xC3\xA9\n  [[=]]\n") == "12:5: TOML: this cannot stand here");
    CHECK(error_of("[pop3]\n\"\xC3\xA9\" = [\n 1, }]\n") == "13:5: TOML: this cannot stand here");
    CHECK(errors_of("[\n") == "/etc/r/f.toml:1:2: TOML: this cannot stand here");
}

TEST_CASE("what this version does not have is refused by name, its off value accepted") {
    const std::string listener = "[listener.x]\naddress = [\"127.0.0.1:1\"]\n";
    CHECK(error_of(listener + "proxy_protocol = true\n") ==
          "13:18: proxy_protocol is not in this version yet; leave it out, or false");
    CHECK(error_of(listener + "trusted_networks = [\"10.0.0.0/8\"]\n") ==
          "13:20: trusted_networks is not in this version yet; leave it out, or []");
    CHECK(errors_of(replaced(std::string(smallest), "[storage]", "[storage]\nindex = \"/x\"")) ==
          "/etc/r/f.toml:4:9: index is not in this version yet; leave it out, or \"\"");
    CHECK(error_of("[log]\nformat = \"json\"\n") ==
          "12:10: format = \"json\" is not in this version yet; it takes \"text\"");
    for (const char* target : {"journal", "syslog"}) {
        CHECK(error_of("[log]\ntarget = \"" + std::string(target) + "\"\n") ==
              "12:10: target = \"" + std::string(target) +
                  "\" is not in this version yet; it takes \"stderr\" or \"file:PATH\"");
    }
    CHECK(error_of("[metrics]\naddress = \"127.0.0.1:9110\"\n") ==
          "12:11: address is not in this version yet; leave it out, or \"\"");
    CHECK(error_of("[admin]\nsocket = \"/run/x\"\n") ==
          "12:10: socket is not in this version yet; leave it out, or \"\"");
    CHECK(error_of("[auth.backend.more]\ntype = \"passwd-file\"\npath = \"more\"\n") ==
          "11:1: more than one [auth.backend.NAME] is not in this version yet");
}

TEST_CASE("without a listener, mail or users there is no server") {
    CHECK(errors_of("") ==
          "/etc/r/f.toml: no listener: add [listener.pop3] with address = [\"127.0.0.1:110\"]\n"
          "/etc/r/f.toml: no mail: add [storage] with maildir = \"/var/vmail/{domain}/{local}\"\n"
          "/etc/r/f.toml: no users: add [auth.backend.local] with type = \"passwd-file\" and "
          "path = \"users\"");
    CHECK(errors_of("[listener.a]\n[storage]\n[auth.backend.b]\n") ==
          "/etc/r/f.toml:1:1: [listener.a] needs address: IPv4:PORT or [IPv6]:PORT to listen on\n"
          "/etc/r/f.toml:2:1: [storage] needs maildir: path of a user's maildir, of {user} {local} "
          "{domain} {home}\n"
          "/etc/r/f.toml:3:1: [auth.backend.b] needs type: kind of user database\n"
          "/etc/r/f.toml:3:1: [auth.backend.b] needs path: the passwd-file; read again when it "
          "changes");
}

TEST_CASE("all errors are told, in file order") {
    CHECK(errors_of("[pop3]\napop = 1\n[limits]\nidle_timeout = \"5m\"\nfoo = 1\n"
                    "[log]\nlevel = \"loud\"\n") ==
          "/etc/r/f.toml:2:8: apop takes true or false, not a number\n"
          "/etc/r/f.toml:4:16: idle_timeout is at least 10m (RFC 1939 §3: the inactivity timer), "
          "not \"5m\"\n"
          "/etc/r/f.toml:5:1: unknown key \"foo\" in [limits]\n"
          "/etc/r/f.toml:7:9: level takes \"debug\", \"info\", \"warn\" or \"error\", not "
          "\"loud\"\n" +
              errors_of(""));
}

TEST_CASE("the maildir template takes {user} {local} {domain} {home} and becomes absolute") {
    const auto maildir_of = [](std::string_view path) {
        return config_of(replaced(std::string(smallest), "/var/vmail/{user}", path))
            .storage.maildir;
    };
    const auto error_with = [](std::string_view path) {
        return errors_of(replaced(std::string(smallest), "/var/vmail/{user}", path));
    };
    CHECK(maildir_of("mail/{user}") == "/etc/r/mail/{user}");
    CHECK(maildir_of("{home}/Maildir") == "{home}/Maildir");
    CHECK(maildir_of("{domain}/{local}") == "/etc/r/{domain}/{local}");
    CHECK(error_with("") ==
          "/etc/r/f.toml:4:11: maildir is empty; write a path such as "
          "\"/var/vmail/{user}\"");
    CHECK(error_with("/m/{usr}") ==
          "/etc/r/f.toml:4:11: unknown placeholder \"{usr}\" in maildir; "
          "did you mean \"{user}\"?");
    CHECK(error_with("/m/{}") ==
          "/etc/r/f.toml:4:11: unknown placeholder \"{}\" in maildir; there "
          "are {user}, {local}, {domain} and {home}");
    for (const char* path : {"/m/{user", "/m/user}", "/m/{{user}}", "/m/{user}}", "/m/{us{er}"}) {
        CAPTURE(path);
        CHECK(error_with(path).contains("maildir has an unpaired \""));
    }
}

TEST_CASE("texts are checked for what they name") {
    CHECK(error_of("[log]\nident = \"a b\"\n") ==
          R"(12:9: ident takes 1 to 32 letters, digits, "-" and "_", not "a b")");
    CHECK(error_of("[log]\ntarget = \"file:\"\n") ==
          R"(12:10: target takes "stderr" or "file:PATH", not "file:")");
    CHECK(errors_of("hostname = \"a<b\"\n" + std::string(smallest)) ==
          "/etc/r/f.toml:1:12: hostname takes a host name (letters, digits, \"-\" and \".\"), not "
          "\"a\\x3cb\"");
    CHECK(errors_of(replaced(std::string(smallest), "path = \"users\"", "path = \"a\\nb\"")) ==
          "/etc/r/f.toml:9:8: path contains a control character: \"a\\x0ab\"");
    CHECK(errors_of(replaced(std::string(smallest), "path = \"users\"", "path = \"\"")) ==
          "/etc/r/f.toml:9:8: path is empty: the passwd-file; read again when it changes");
    CHECK(errors_of(replaced(std::string(smallest), "users", std::string(4097, 'x'))) ==
          "/etc/r/f.toml:9:8: path is longer than 4096 octets");
}

TEST_CASE("nobody can log in without TLS, cleartext or APOP: a warning") {
    const std::string closed = replaced(std::string(smallest), "= true", "= false");
    const Config config = config_of(closed);
    REQUIRE(config.warnings.size() == 1);
    CHECK(config.warnings[0].starts_with("/etc/r/f.toml: nobody can log in: "));
    CHECK(config_of(closed + "[pop3]\napop = true\n").warnings.empty());
}

TEST_CASE("staying root and one maildir for all are warnings") {
    const Config root =
        config_of(replaced(std::string(smallest), "[auth]", "user = \"root\"\n[auth]"));
    REQUIRE(root.warnings.size() == 1);
    CHECK(root.warnings[0].starts_with("/etc/r/f.toml:5:8: user = \"root\": "));
    const Config shared = config_of(replaced(std::string(smallest), "/{user}", ""));
    REQUIRE(shared.warnings.size() == 1);
    CHECK(shared.warnings[0].starts_with("/etc/r/f.toml:4:11: maildir has no placeholder"));
}

TEST_CASE("a configuration is read from its file; why it cannot be is told") {
    const ScratchFile file;
    file.write(smallest);
    const auto config = load_config(file.path());
    REQUIRE(config);
    CHECK(config->auth.backend.path == "/tmp/users");
    const auto missing = load_config("/nonexistent/f.toml");
    REQUIRE_FALSE(missing);
    CHECK(missing.error() == ConfigErrors{"/nonexistent/f.toml: cannot be read: No such file or "
                                          "directory"});
    const auto folder = load_config("/tmp");
    REQUIRE_FALSE(folder);
    CHECK(folder.error() == ConfigErrors{"/tmp: cannot be read: Is a directory"});
    file.write(std::string((1 << 20) + 1, '\n'));
    const auto huge = load_config(file.path());
    REQUIRE_FALSE(huge);
    CHECK(huge.error().at(0).ends_with("longer than 1 MiB, which no configuration is"));
}

TEST_CASE("config shows what differs from the defaults, as TOML, in the order of the schema") {
    const std::string text = with(
        "[limits]\nidle_timeout = \"600s\"\nconnections = 9\n"
        "[log]\nident = \"dovecot\"\nlevel = \"info\"\n");
    const std::string shown =
        "listener.pop3.address = [\"127.0.0.1:110\"]\n"
        "storage.maildir = \"/var/vmail/{user}\"\n"
        "auth.allow_cleartext = true\n"
        "auth.backend.local.type = \"passwd-file\"\n"
        "auth.backend.local.path = \"users\"\n"
        "limits.connections = 9\n"
        "log.ident = \"dovecot\"\n";
    CHECK(describe_config(text, "f", false) == shown);
    CHECK(describe_config(shown, "f", false) == shown);
    const std::string all = describe_config(text, "f", true);
    CHECK(errors_of(all) == "");
    CHECK(describe_config(all, "f", false) == shown);
    CHECK(all.contains("\nlimits.idle_timeout = \"600s\""));
    CHECK(all.contains("\nlog.target = \"stderr\" "));
}

TEST_CASE("a quote and a backslash survive being shown") {
    const std::string text = replaced(std::string(smallest), "\"users\"", "'a\"b\\c'");
    CHECK(describe_config(text, "f", false).contains("path = \"a\\\"b\\\\c\"\n"));
}

TEST_CASE("names with dots and control octets survive being shown") {
    const std::string text = with(
        "[tls]\ncertificate = \"c\"\nkey = \"a\\nb\"\n"
        "[tls.name.\"pop.example.net\"]\ncertificate = \"n\"\nkey = \"k\"\n");
    const std::string shown = describe_config(text, "f", false);
    CHECK(shown.contains("tls.name.\"pop.example.net\".certificate = \"n\"\n"));
    CHECK(shown.contains("tls.key = \"a\\u000Ab\"\n"));
    CHECK(describe_config(shown, "f", false) == shown);
}

TEST_CASE("octets that TOML has no use for are an error of the file") {
    CHECK(errors_of("a\xCD\x84 = 1\n").contains("/etc/r/f.toml:1:"));
}

TEST_CASE("every row of the schema is sound") {
    for (const KeyRow& row : config_schema()) {
        CAPTURE(row.name);
        CHECK(find_key(row.table, row.name) == &row);
        CHECK_FALSE(row.meaning.empty());
        const bool is_bounded = row.type == KeyType::integer || row.type == KeyType::duration;
        CHECK(is_bounded == !row.least.empty());
        CHECK(is_bounded == !row.most.empty());
        const bool has_choices = row.type == KeyType::choice || row.type == KeyType::choice_list;
        CHECK(has_choices == !row.choices.empty());
    }
}
