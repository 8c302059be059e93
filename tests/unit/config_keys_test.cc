// Keys that belong together, and the file that is shipped.
#include <doctest/doctest.h>

#include <fstream>
#include <iterator>

#include "server/config.h"
#include "server/config_schema.h"
#include "unit/config_text.h"

using namespace restante;
using namespace std::chrono_literals;

namespace {

/// Tests are started in the top folder of the source.
std::string shipped_config() {
    std::ifstream file("conf/restante.toml", std::ios::binary);
    REQUIRE(file.good());
    return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

TEST_CASE("conf/restante.toml is valid and its values are the defaults") {
    const std::string text = shipped_config();
    const Config config = config_of(text);
    CHECK(config.warnings.size() == 1);  // nobody can log in
    CHECK(describe_config(text, "f", false) ==
          "listener.pop3.address = [\"127.0.0.1:110\", \"[::1]:110\"]\n"
          "storage.maildir = \"/var/vmail/{domain}/{local}\"\n"
          "auth.backend.local.type = \"passwd-file\"\n"
          "auth.backend.local.path = \"users\"\n");
}

TEST_CASE("conf/restante.toml has every key in its order, unbuilt ones and TLS commented out") {
    const std::string text = shipped_config();
    std::size_t after = 0;
    for (const KeyRow& row : config_schema()) {
        const bool is_on = row.is_built && !row.table.starts_with("tls");
        const std::string key = (is_on ? "\n" : "\n#") + std::string(row.name) + " = ";
        CAPTURE(row.table);
        CAPTURE(key);
        const std::size_t at = text.find(key, after);
        REQUIRE(at != std::string::npos);
        after = at + 1;
    }
}

TEST_CASE("conf/restante.toml: TLS is valid once uncommented, its values the defaults") {
    const std::string shipped = shipped_config();
    const std::size_t begin = shipped.find("\n#[tls]\n");
    const std::size_t end = shipped.find("\n# --- ", begin);
    REQUIRE(end != std::string::npos);
    std::string text = shipped.substr(0, begin);
    for (std::size_t at = begin; at < end; ++at) {
        const bool is_comment = shipped.substr(at, 2) == "\n#" && shipped[at + 2] != ' ';
        text += shipped[at];
        at += is_comment ? 1 : 0;
    }
    const Config config = config_of(text + shipped.substr(end));
    REQUIRE(config.tls.has_value());
    CHECK(config.tls->settings.names.size() == 1);
    CHECK(describe_config(text, "f", false).contains("tls.key = \"key.pem\"\n"));
    CHECK(!describe_config(text, "f", false).contains("min_version"));
}

TEST_CASE("TLS: pairs, names and files, relative to the file") {
    const Config config =
        config_of(with("[listener.pop3s]\naddress = [\"127.0.0.1:995\"]\ntls = \"required\"\n"
                       "[tls]\ncertificate = \"c.pem\"\nkey = \"/k.pem\"\nocsp_response = \"o\"\n"
                       "alternative_certificate = \"e.pem\"\nalternative_key = \"ek.pem\"\n"
                       "min_version = \"1.3\"\nticket_keys = \"t\"\nkernel = false\n"
                       "client_certificates = \"ask\"\nclient_ca = \"ca.pem\"\n"
                       "[tls.name.\"pop.example.net\"]\ncertificate = \"n\"\nkey = \"nk\"\n"
                       "[tls.name.\"*.example.com\"]\ncertificate = \"m\"\nkey = \"mk\"\n"));
    CHECK(config.listeners.back().tls == TlsMode::required);
    REQUIRE(config.tls.has_value());
    const TlsSettings& tls = config.tls->settings;
    REQUIRE(tls.pairs.size() == 2);
    CHECK(tls.pairs[0].certificate == "/etc/r/c.pem");
    CHECK(tls.pairs[0].key == "/k.pem");
    CHECK(tls.pairs[0].ocsp == "/etc/r/o");
    CHECK(tls.pairs[1].key == "/etc/r/ek.pem");
    CHECK(tls.pairs[1].ocsp.empty());
    CHECK(tls.min_version == TlsVersion::tls_1_3);
    CHECK(tls.ticket_keys == "/etc/r/t");
    CHECK(tls.client_certificates == ClientCertificates::ask);
    CHECK(tls.client_ca == "/etc/r/ca.pem");
    CHECK(!config.tls->kernel);
    REQUIRE(tls.names.size() == 2);
    CHECK(tls.names[0].name == "pop.example.net");
    CHECK(tls.names[1].name == "*.example.com");
    CHECK(tls.names[1].pairs[0].key == "/etc/r/mk");
    CHECK(!config_of(with("")).tls.has_value());
}

TEST_CASE("TLS: what is missing or does not go together is an error") {
    const std::string pair = "[tls]\ncertificate = \"c\"\nkey = \"k\"\n";
    for (const char* mode : {"starttls", "required"}) {
        CHECK(error_of("[listener.x]\naddress = [\"127.0.0.1:1\"]\ntls = \"" + std::string(mode) +
                       "\"\n") == "13:7: tls = \"" + std::string(mode) +
                                      "\" needs a certificate: add [tls] with certificate and key");
    }
    CHECK(error_of("[tls]\ncertificate = \"c\"\n") ==
          "11:1: [tls] needs key: file of the private key, PEM; the service user must be able to "
          "read it");
    CHECK(error_of("[tls]\ncertificate = \"\"\nkey = \"k\"\n") ==
          "12:15: certificate is empty: file of the certificate chain, PEM; read again when it "
          "changes");
    CHECK(error_of(pair + "alternative_key = \"k\"\n") ==
          "14:19: alternative_certificate and alternative_key go together");
    CHECK(error_of(pair + "client_certificates = \"ask\"\n") ==
          "14:23: client_certificates needs client_ca: the file of those who issue them");
    CHECK(error_of(pair + "[tls.name.\"a b\"]\ncertificate = \"c\"\nkey = \"k\"\n") ==
          "14:1: \"a b\" is no host name: [tls.name.\"pop.example.net\"]");
}

TEST_CASE("tokens and masters: what they need, and what they take") {
    const std::string jwt = "[auth.token]\ntype = \"jwt\"\nkeys = \"k\"\n";
    CHECK(error_of(jwt).starts_with("12:8: type = \"jwt\" needs audience: "));
    CHECK(error_of("[auth.token]\ntype = \"introspection\"\n")
              .starts_with("12:8: type = \"introspection\" needs endpoint: "));
    CHECK(error_of("[auth.token]\nscope = \"a\\\"b\"\n").starts_with("12:9: scope takes words"));
    CHECK(error_of("[auth.master]\nseparator = \"**\"\n") ==
          "12:13: separator takes one character, such as \"*\"");
    const Config config = config_of(with(jwt + "audience = \"pop\"\nleeway = \"5s\"\n"
                                               "[auth.master]\npath = \"m\"\nseparator = \"*\"\n"));
    CHECK(config.auth.token.type == TokenType::jwt);
    CHECK(config.auth.token.keys == "/etc/r/k");
    CHECK(config.auth.token.audience == "pop");
    CHECK(config.auth.token.leeway == 5s);
    CHECK(config.auth.master.path == "/etc/r/m");
    CHECK(config.auth.master.separator == "*");
}
