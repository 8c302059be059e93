#include <doctest/doctest.h>
#include <openssl/ssl.h>

#include <memory>
#include <string>

#include "net/tls_ticket_keys.h"
#include "unit/tls_world.h"

namespace restante {
namespace {

using Client = sim::TlsClientSettings;
using SessionHandle = std::unique_ptr<SSL_SESSION, FreeWith<SSL_SESSION_free>>;
using Context = std::shared_ptr<const TlsContext>;

const TlsWorld& world() {
    static const TlsWorld only;
    return only;
}

Context context_with(const TlsSettings& settings, const std::shared_ptr<TlsTicketKeys>& keys) {
    const auto made = TlsContext::make(settings, keys, wall_now());
    REQUIRE_MESSAGE(made.has_value(), (made ? "" : made.error()));
    return made->context;
}

std::shared_ptr<TlsTicketKeys> random_keys() { return std::make_shared<TlsTicketKeys>(wall_now()); }

Client of_version(int version, const std::string& name = {}) {
    return {.min_version = version, .max_version = version, .server_name = name};
}

SessionHandle session_of(const Context& context, const Client& settings) {
    TlsTalk talk(context, settings);
    REQUIRE(talk.shake());
    SessionHandle session(talk.client.take_session());
    REQUIRE(SSL_SESSION_has_ticket(session.get()) == 1);
    return session;
}

bool is_resumed(const Context& context, Client settings, const SessionHandle& session) {
    settings.session = session.get();
    TlsTalk talk(context, settings);
    REQUIRE(talk.shake());
    REQUIRE(talk.ask("CAPA\r\n") == "CAPA\r\n");
    CHECK((SSL_session_reused(talk.client.ssl()) == 1) == talk.server.details().is_resumed);
    return talk.server.details().is_resumed;
}

WallTime hours_later(int hours) {
    return {wall_now().nanoseconds + hours * std::int64_t{3'600'000'000'000}};
}

constexpr int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

}  // namespace

TEST_CASE("a session is resumed by another context that shares the keys, and by no other") {
    for (const int version : versions) {
        CAPTURE(version);
        const auto keys = random_keys();
        const SessionHandle session =
            session_of(context_with(world().settings(), keys), of_version(version));
        CHECK(is_resumed(context_with(world().settings(), keys), of_version(version), session));
        CHECK_FALSE(is_resumed(context_with(world().settings(), random_keys()), of_version(version),
                               session));
    }
}

TEST_CASE("TLS 1.3 gives a new ticket with each resumption, so that none is used twice") {
    const Context context = context_with(world().settings(), random_keys());
    Client settings = of_version(TLS1_3_VERSION);
    SessionHandle session = session_of(context, settings);
    for (int round = 0; round < 3; ++round) {
        settings.session = session.get();
        TlsTalk talk(context, settings);
        REQUIRE(talk.shake());
        CHECK(talk.server.details().is_resumed);
        SessionHandle next(talk.client.take_session());
        CHECK(next.get() != session.get());
        CHECK(SSL_SESSION_has_ticket(next.get()) == 1);
        session = std::move(next);
    }
}

TEST_CASE("tickets outlive two replacements of the keys, and not the third") {
    for (const int version : versions) {
        const auto keys = random_keys();
        const Context context = context_with(world().settings(), keys);
        const SessionHandle session = session_of(context, of_version(version));
        CHECK_FALSE(keys->rotate(hours_later(3)));
        CHECK(keys->rotate(hours_later(5)));
        CHECK(is_resumed(context, of_version(version), session));
        CHECK(keys->rotate(hours_later(10)));
        CHECK(is_resumed(context, of_version(version), session));
        CHECK(keys->rotate(hours_later(15)));
        CHECK_FALSE(is_resumed(context, of_version(version), session));
        CHECK(keys->current()->keys().size() == 3);
    }
}

TEST_CASE("keys are replaced when the clock was set back, and forgotten after a long sleep") {
    TlsTicketKeys keys(wall_now());
    CHECK(keys.rotate(hours_later(-1)));
    CHECK(keys.current()->keys().size() == 2);
    CHECK(keys.rotate(hours_later(100)));
    CHECK(keys.current()->keys().size() == 1);
}

TEST_CASE("a ticket under a former key is replaced by one under the newest (TLS 1.2)") {
    const auto keys = random_keys();
    const Context context = context_with(world().settings(), keys);
    Client settings = of_version(TLS1_2_VERSION);
    const SessionHandle session = session_of(context, settings);
    keys->rotate(hours_later(5));
    settings.session = session.get();
    TlsTalk talk(context, settings);
    REQUIRE(talk.shake());
    CHECK(talk.server.details().is_resumed);
    const SessionHandle renewed(talk.client.take_session());
    keys->rotate(hours_later(10));
    keys->rotate(hours_later(15));
    CHECK(is_resumed(context, of_version(TLS1_2_VERSION), renewed));
}

TEST_CASE("a key file is shared by machines: the first makes tickets, all open them") {
    const std::string one(80, '\x11');
    const std::string two(80, '\x22');
    const auto keys_of = [](const std::string& octets) {
        auto keys = random_keys();
        REQUIRE(keys->adopt(octets, "keys").has_value());
        return keys;
    };
    for (const int version : versions) {
        const Client client = of_version(version);
        const SessionHandle session =
            session_of(context_with(world().settings(), keys_of(one)), client);
        CHECK(is_resumed(context_with(world().settings(), keys_of(one)), client, session));
        CHECK(is_resumed(context_with(world().settings(), keys_of(two + one)), client, session));
        CHECK_FALSE(is_resumed(context_with(world().settings(), keys_of(two)), client, session));
    }
}

TEST_CASE("a key file of a wrong length is refused, and the keys stay") {
    TlsTicketKeys keys(wall_now());
    const auto before = keys.current();
    for (const std::size_t octets : {0, 79, 81, 48, 17 * 80}) {
        const auto adopted = keys.adopt(std::string(octets, 'k'), "/etc/tickets");
        REQUIRE_FALSE(adopted.has_value());
        CHECK(adopted.error().starts_with("TLS ticket keys /etc/tickets: the file has " +
                                          std::to_string(octets) + " octets"));
    }
    CHECK(keys.current() == before);
}

TEST_CASE("a ticket of one server name is not resumed under another, or under none") {
    TlsSettings settings = world().settings();
    settings.names.push_back({"a.test", {world().pair("a", {"a.test", "DNS:a.test"})}});
    settings.names.push_back({"b.test", {world().pair("b", {"b.test", "DNS:b.test"})}});
    const Context context = context_with(settings, random_keys());
    for (const int version : versions) {
        const SessionHandle session = session_of(context, of_version(version, "a.test"));
        const auto resumes_as = [&](const char* name) {
            return is_resumed(context, of_version(version, name), session);
        };
        CHECK(resumes_as("a.test"));
        CHECK(resumes_as("A.Test"));
        CHECK_FALSE(resumes_as("b.test"));
        CHECK_FALSE(resumes_as("unknown.test"));
        CHECK_FALSE(resumes_as(""));
        const SessionHandle unknown = session_of(context, of_version(version, "unknown.test"));
        CHECK(is_resumed(context, of_version(version, "unknown.test"), unknown));
        CHECK_FALSE(is_resumed(context, of_version(version, "other.test"), unknown));
    }
}

TEST_CASE(
    "a client's certificate counts in the resumed session, while the same rules are in force") {
    const Issued client = make_certificate({"joe", "email:joe@example.net"}, &world().issuer());
    TlsSettings settings = world().settings();
    settings.client_certificates = ClientCertificates::ask;
    settings.client_ca = world().write("ca.pem", world().issuer().certificate_pem());
    const auto keys = random_keys();
    const Context context = context_with(settings, keys);
    const Issued other = make_certificate({.common_name = "other", .is_issuer = true}, nullptr);
    TlsSettings others = settings;
    others.client_ca = world().write("other.pem", other.certificate_pem());
    for (const int version : versions) {
        Client with = of_version(version);
        with.certificate = client.certificate.get();
        with.key = client.key.get();
        const SessionHandle session = session_of(context, with);
        Client again = of_version(version);
        again.session = session.get();
        TlsTalk talk(context, again);
        REQUIRE(talk.shake());
        CHECK(talk.server.details().is_resumed);
        CHECK(talk.server.client_user() == "joe@example.net");
        // Another list of issuers, or none: the session is not carried over.
        CHECK_FALSE(is_resumed(context_with(others, keys), of_version(version), session));
        CHECK_FALSE(
            is_resumed(context_with(world().settings(), keys), of_version(version), session));
        // A session without a certificate does not become one with.
        const SessionHandle without = session_of(context, of_version(version));
        Client late = with;
        late.session = without.get();
        TlsTalk resumed(context, late);
        REQUIRE(resumed.shake());
        CHECK(resumed.server.client_user() == std::nullopt);
    }
}

TEST_CASE("bindings of a resumed session are the same at both ends") {
    const Context context = context_with(world().settings(), random_keys());
    for (const int version : versions) {
        const SessionHandle session = session_of(context, of_version(version));
        Client settings = of_version(version);
        settings.session = session.get();
        TlsTalk talk(context, settings);
        REQUIRE(talk.shake());
        REQUIRE(talk.server.details().is_resumed);
        char finished[64];
        const std::size_t octets =
            SSL_get_peer_finished(talk.client.ssl(), finished, sizeof finished);
        if (version == TLS1_2_VERSION) {
            CHECK(talk.server.channel_binding(ChannelBinding::tls_unique) ==
                  std::string(finished, octets));
        }
        CHECK(talk.server.channel_binding(ChannelBinding::tls_exporter).has_value());
        CHECK_FALSE(talk.server.channel_binding(ChannelBinding::tls_server_end_point).has_value());
    }
}

}  // namespace restante
