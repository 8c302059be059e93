#include "net/tls_context.h"

#include <doctest/doctest.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "net/tls_kernel.h"
#include "unit/tls_world.h"

namespace restante {
namespace {

using Client = sim::TlsClientSettings;

const TlsWorld& world() {
    static const TlsWorld only;
    return only;
}

std::vector<std::string> warnings_of(const TlsSettings& settings, WallTime now = wall_now()) {
    const auto made = TlsContext::make(settings, std::make_shared<TlsTicketKeys>(now), now);
    REQUIRE_MESSAGE(made.has_value(), (made ? "" : made.error()));
    return made->warnings;
}

TlsSettings only(const TlsPair& pair) {
    TlsSettings settings;
    settings.pairs = {pair};
    return settings;
}

std::string name_shown(const TlsSettings& settings, const std::string& asked) {
    TlsTalk talk(context_of(settings), {.server_name = asked});
    REQUIRE(talk.shake());
    CHECK(talk.server.details().server_name == asked);
    return talk.client.common_name();
}

/// What the client is stapled, with a response made by `wish`.
std::string stapled(const StapleWish& wish, std::vector<std::string>& warnings, int version) {
    const Issued leaf = make_certificate({.common_name = "stapled.test"}, &world().issuer());
    TlsPair pair = world().write_pair("stapled", leaf);
    pair.ocsp = world().write("stapled.ocsp", make_staple(leaf, world().issuer(), wish));
    warnings = warnings_of(only(pair));
    TlsTalk talk(context_of(only(pair)),
                 {.min_version = version, .max_version = version, .wants_staple = true});
    REQUIRE(talk.shake());
    return talk.client.staple();
}

std::string user_of(const CertificateWish& wish,
                    ClientCertificates rule = ClientCertificates::ask) {
    TlsSettings settings = world().settings();
    settings.client_certificates = rule;
    settings.client_ca = world().write("ca.pem", world().issuer().certificate_pem());
    const Issued client = make_certificate(wish, &world().issuer());
    TlsTalk talk(context_of(settings),
                 {.certificate = client.certificate.get(), .key = client.key.get()});
    REQUIRE(talk.shake());
    REQUIRE(talk.status == TlsStatus::ready);
    const std::optional<std::string> user = talk.server.client_user();
    return user ? *user : "(" + talk.server.client_certificate_problem() + ")";
}

}  // namespace

TEST_CASE("a name of its own has its own certificate; unknown and missing ones the default") {
    TlsSettings settings = world().settings();
    settings.names.push_back(
        {"Pop.Example.NET", {world().pair("pop", {"pop", "DNS:pop.example.net"})}});
    settings.names.push_back(
        {"*.example.org", {world().pair("star", {"star", "DNS:*.example.org"})}});
    CHECK(warnings_of(settings).empty());
    CHECK(name_shown(settings, "pop.example.net") == "pop");
    CHECK(name_shown(settings, "POP.example.net") == "pop");
    CHECK(name_shown(settings, "mail.example.org") == "star");
    CHECK(name_shown(settings, "a.mail.example.org") == "ecdsa.test");
    CHECK(name_shown(settings, "example.org") == "ecdsa.test");
    CHECK(name_shown(settings, "unknown.test") == "ecdsa.test");
    CHECK(name_shown(settings, "") == "ecdsa.test");
}

TEST_CASE("the rules hold for names too: versions, ALPN, client certificates") {
    TlsSettings settings = world().settings();
    settings.min_version = TlsVersion::tls_1_3;
    settings.client_certificates = ClientCertificates::require;
    settings.client_ca = world().write("ca.pem", world().issuer().certificate_pem());
    settings.names.push_back({"a.test", {world().pair("a", {"a.test", "DNS:a.test"})}});
    const auto context = context_of(settings);
    const Issued client = make_certificate({"joe"}, &world().issuer());
    Client good{.server_name = "a.test"};
    good.certificate = client.certificate.get();
    good.key = client.key.get();
    TlsTalk served(context, good);
    REQUIRE(served.shake());
    CHECK(served.server.client_user() == "joe");
    Client old = good;
    old.max_version = TLS1_2_VERSION;
    CHECK_FALSE(TlsTalk(context, old).shake());
    Client other = good;
    other.alpn = "imap";
    CHECK_FALSE(TlsTalk(context, other).shake());
    Client nameless{.server_name = "a.test"};
    TlsTalk refused(context, nameless);
    refused.shake();
    CHECK(refused.status == TlsStatus::failed);
    CHECK(refused.server.failure().ends_with("client certificates are required"));
}

TEST_CASE("each fault of the files is one sentence: file, cause and cure") {
    const TlsPair good = world().settings().pairs[0];
    const TlsPair other = world().pair("other", {"other.test"});
    const auto refusal = [&](const std::string& certificate, const std::string& key) {
        return refusal_of(only({certificate, key, ""}));
    };
    CHECK(refusal(world().path("none.pem"), good.key) ==
          "TLS certificate " + world().path("none.pem") +
              ": No such file or directory; check the path in the configuration");
    CHECK(refusal(good.certificate, world().path("none.key"))
              .starts_with("TLS key " + world().path("none.key") + ": No such file"));
    CHECK(refusal(good.certificate, other.key)
              .starts_with("TLS key " + other.key + ": it does not match the certificate " +
                           good.certificate));
    CHECK(refusal(world().write("text.pem", "no certificate\n"), good.key)
              .ends_with("no certificate in PEM format in it; is it the right file?"));
    CHECK(refusal(good.key, good.certificate).find("no certificate in PEM") != std::string::npos);
    CHECK(refusal(good.certificate, good.certificate).find("no private key in PEM format") !=
          std::string::npos);
    CHECK(refusal(world().path(""), good.key).ends_with("it must be a readable regular file"));
    CHECK(refusal(world().write("large.pem", std::string(2'000'000, 'x')), good.key)
              .ends_with("larger than 1 MiB; is it the right file?"));
    const std::string damaged = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    CHECK(refusal(world().write("damaged.pem", damaged), good.key)
              .find("certificate 1 in it is damaged") != std::string::npos);
}

TEST_CASE("an encrypted key is refused with the way to decrypt it, and nobody is asked") {
    const Issued issued = make_certificate({"locked.test"}, &world().issuer());
    TlsPair pair = world().write_pair("locked", issued);
    const BioHandle memory(BIO_new(BIO_s_mem()));
    PEM_write_bio_PKCS8PrivateKey(memory.get(), issued.key.get(), EVP_aes_128_cbc(), "secret", 6,
                                  nullptr, nullptr);
    char* pem = nullptr;
    const long octets = BIO_get_mem_data(memory.get(), &pem);
    pair.key = world().write("locked.key", {pem, static_cast<std::size_t>(octets)});
    CHECK(refusal_of(only(pair)) ==
          "TLS key " + pair.key +
              ": it is encrypted, and the server cannot ask for its pass phrase; decrypt it with: "
              "openssl pkey -in " +
              pair.key + " -out FILE");
}

TEST_CASE("a key that the server's user may not read is refused with the way to let it" *
          doctest::skip(::geteuid() == 0)) {
    const TlsPair pair = world().pair("closed", {"closed.test"});
    ::chmod(pair.key.c_str(), 0);
    CHECK(refusal_of(only(pair)).find("Permission denied; it must be readable by the user") !=
          std::string::npos);
}

TEST_CASE("two pairs of one kind, and a name given twice, are refused") {
    TlsSettings settings = world().settings();
    settings.pairs.push_back(world().pair("second", {"second.test"}));
    CHECK(refusal_of(settings).find("a second one with an ECDSA key for the same name") !=
          std::string::npos);
    settings = world().settings();
    settings.names.push_back({"a.test", {world().pair("a", {"a.test", "DNS:a.test"})}});
    settings.names.push_back({"A.test", {world().pair("a", {"a.test", "DNS:a.test"})}});
    CHECK(refusal_of(settings) == "TLS name A.test: given twice; keep one");
}

TEST_CASE("a weak key is refused") {
    Issued weak{CertificateHandle(), KeyHandle(EVP_RSA_gen(1024))};
    const Issued model = make_certificate({.common_name = "weak.test"}, nullptr);
    weak.certificate.reset(X509_dup(model.certificate.get()));
    X509_set_pubkey(weak.certificate.get(), weak.key.get());
    X509_sign(weak.certificate.get(), weak.key.get(), EVP_sha256());
    CHECK(refusal_of(only(world().write_pair("weak", weak))).find("ee key too small") !=
          std::string::npos);
}

TEST_CASE("a certificate that is over, nearly over or not yet valid is served with a warning") {
    const auto warning = [](int first_day, int last_day) {
        const auto warnings = warnings_of(only(world().pair(
            "dated", {.common_name = "dated", .first_day = first_day, .last_day = last_day})));
        return warnings.empty() ? "" : warnings[0];
    };
    CHECK(warning(-10, 90).empty());
    CHECK(warning(-10, -1).find(": expired on 20") != std::string::npos);
    CHECK(warning(-10, 3).find(": expires on 20") != std::string::npos);
    CHECK(warning(2, 90).find(": not valid before 20") != std::string::npos);
    TlsSettings settings = world().settings();
    settings.names.push_back({"a.test", {world().pair("b", {"b.test", "DNS:b.test"})}});
    CHECK(warnings_of(settings)[0] ==
          "TLS name a.test: its ECDSA certificate is not for that name: clients will refuse it");
}

TEST_CASE("a good OCSP response is stapled to its certificate, for those who ask") {
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        std::vector<std::string> warnings;
        CHECK_FALSE(stapled({}, warnings, version).empty());
        CHECK(warnings.empty());
    }
    const Issued leaf = make_certificate({.common_name = "both.test"}, &world().issuer());
    TlsSettings settings = world().settings();
    settings.pairs[0] = world().write_pair("both", leaf);
    settings.pairs[0].ocsp = world().write("both.ocsp", make_staple(leaf, world().issuer(), {}));
    const auto context = context_of(settings);
    TlsTalk rsa(context, {.signature_algorithms = "RSA-PSS+SHA256", .wants_staple = true});
    REQUIRE(rsa.shake());
    CHECK(rsa.client.staple().empty());  // it is the other certificate's
    TlsTalk silent(context);
    REQUIRE(silent.shake());
    CHECK(silent.client.staple().empty());
}

TEST_CASE(
    "an OCSP response that is old, early, bad, or another's is not stapled, and that is said") {
    std::vector<std::string> warnings;
    const auto refused = [&](const StapleWish& wish, std::string_view cause) {
        CHECK(stapled(wish, warnings, TLS1_3_VERSION).empty());
        REQUIRE(warnings.size() == 1);
        CHECK(warnings[0].find(cause) != std::string::npos);
    };
    refused({.first_day = -9, .last_day = -2}, "it ended on 20");
    refused({.first_day = 2, .last_day = 9}, "it is from the future");
    refused({.is_good = false}, "it calls the certificate revoked");
    const Issued leaf = make_certificate({.common_name = "leaf.test"}, &world().issuer());
    const Issued stranger =
        make_certificate({.common_name = "stranger", .is_issuer = true}, nullptr);
    TlsPair pair = world().write_pair("leaf", leaf);
    const auto warning_for = [&](const std::string& octets) {
        pair.ocsp = world().write("leaf.ocsp", octets);
        const auto said = warnings_of(only(pair));
        return said.empty() ? "" : said[0];
    };
    CHECK(warning_for(make_staple(leaf, world().issuer(), {})).empty());
    CHECK(warning_for("garbage").find("not a successful response in DER") != std::string::npos);
    const Issued other = make_certificate({.common_name = "other.test"}, &world().issuer());
    CHECK(warning_for(make_staple(other, world().issuer(), {})).find("not about the certificate") !=
          std::string::npos);
    CHECK(warning_for(make_staple(leaf, world().issuer(), {.signer = &stranger}))
              .find("its signature is not the issuer's") != std::string::npos);
    CHECK(warning_for(make_staple(leaf, stranger, {})).find("not about the certificate") !=
          std::string::npos);
    pair.ocsp = world().path("none.ocsp");
    CHECK(warnings_of(only(pair))[0].find("none is stapled") != std::string::npos);
}

TEST_CASE("a client's name is the e-mail address of its certificate, else the common name") {
    CHECK(user_of({"Joe", "DNS:joe.test,email:joe@example.net,email:two@example.net"}) ==
          "joe@example.net");
    CHECK(user_of({"joe"}) == "joe");
    CHECK(user_of({"joe", "DNS:joe.test"}) == "joe");
}

TEST_CASE("a client's certificate that is not valid names nobody, or ends the handshake") {
    CHECK(user_of({.common_name = "joe", .first_day = -9, .last_day = -1}) ==
          "(certificate has expired)");
    TlsSettings settings = world().settings();
    settings.client_certificates = ClientCertificates::ask;
    settings.client_ca = world().write("ca.pem", world().issuer().certificate_pem());
    const Issued forged = make_certificate({"joe", "email:joe@example.net"}, nullptr);
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        Client client{.min_version = version, .max_version = version};
        client.certificate = forged.certificate.get();
        client.key = forged.key.get();
        TlsTalk asked(context_of(settings), client);
        REQUIRE(asked.shake());
        CHECK(asked.server.client_user() == std::nullopt);
        CHECK_FALSE(asked.server.client_certificate_problem().empty());
        TlsSettings strict = settings;
        strict.client_certificates = ClientCertificates::require;
        TlsTalk required(context_of(strict), client);
        required.shake();
        CHECK(required.status == TlsStatus::failed);
        CHECK(required.server.failure().ends_with("the client's certificate is not valid"));
        TlsTalk without(context_of(settings), {.min_version = version, .max_version = version});
        REQUIRE(without.shake());
        CHECK(without.server.client_user() == std::nullopt);
        CHECK(without.server.client_certificate_problem().empty());
    }
}

TEST_CASE("kernel TLS that the machine does not have is no reason not to serve") {
    TlsTalk talk(context_of(world().settings()));
    talk.server.use_kernel_tls(0);  // no TCP socket: refused like on a kernel without
    REQUIRE(talk.shake());
    CHECK_FALSE(talk.server.is_kernel_tls_sending());
    CHECK(talk.say("+OK\r\n") == "+OK\r\n");
    const std::string problem = kernel_tls_problem();
    CHECK((problem.empty() || problem.starts_with("kernel TLS: ")));
}

}  // namespace restante
