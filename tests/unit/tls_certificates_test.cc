#include "net/tls_certificates.h"

#include <doctest/doctest.h>
#include <sys/resource.h>

#include <string>

#include "unit/tls_world.h"

namespace restante {
namespace {

struct Kept {
    TlsWorld world;
    TlsSettings settings = only_one();
    std::unique_ptr<TlsCertificates> certificates = opened();

    TlsSettings only_one() {
        TlsSettings one;
        one.pairs = {world.pair("one", {"first.test"})};
        return one;
    }
    std::unique_ptr<TlsCertificates> opened() {
        auto made = TlsCertificates::open(settings, wall_now());
        REQUIRE_MESSAGE(made.has_value(), (made ? "" : made.error()));
        CHECK(made->notices.empty());
        return std::move(made->certificates);
    }
    std::string shown() const {
        TlsTalk talk(certificates->current());
        REQUIRE(talk.shake());
        return talk.client.common_name();
    }
    std::vector<TlsNotice> check() { return certificates->check(wall_now()); }
};

}  // namespace

TEST_CASE("nothing is read again, and nothing said, while no file changes") {
    Kept kept;
    const auto before = kept.certificates->current();
    CHECK(kept.check().empty());
    CHECK(kept.certificates->current() == before);
}

TEST_CASE("a renewed pair is picked up; who is connected keeps what they began with") {
    Kept kept;
    TlsTalk old(kept.certificates->current());
    old.client.handshake();
    old.carry_to_server(old.client.take_outgoing());
    kept.world.pair("one", {"second.test"});
    const auto notices = kept.check();
    REQUIRE(notices.size() == 1);
    CHECK(notices[0].level == LogLevel::info);
    CHECK(kept.shown() == "second.test");
    old.carry_to_client();
    CHECK(old.shake());
    CHECK(old.client.common_name() == "first.test");
    CHECK(kept.check().empty());
}

TEST_CASE("a broken new pair leaves the old in force, is complained of once, and is tried again") {
    Kept kept;
    const Issued next = make_certificate({"second.test"}, &kept.world.issuer());
    kept.world.write("one.pem", next.certificate_pem());  // its key comes later
    auto notices = kept.check();
    REQUIRE(notices.size() == 1);
    CHECK(notices[0].level == LogLevel::error);
    CHECK(notices[0].text.find("it does not match the certificate") != std::string::npos);
    CHECK(notices[0].text.ends_with("; the certificates in force stay"));
    CHECK(kept.shown() == "first.test");
    CHECK(kept.check().empty());
    kept.world.write("one.key", "rubbish\n");
    notices = kept.check();
    REQUIRE(notices.size() == 1);
    CHECK(notices[0].text.find("no private key") != std::string::npos);
    kept.world.write("one.key", next.key_pem());
    notices = kept.check();
    REQUIRE(notices.size() == 1);
    CHECK(notices[0].level == LogLevel::info);
    CHECK(kept.shown() == "second.test");
}

TEST_CASE("a file that vanishes is complained of, and its return noticed") {
    Kept kept;
    std::filesystem::rename(kept.world.path("one.key"), kept.world.path("away"));
    CHECK(kept.check().size() == 1);
    CHECK(kept.check().empty());
    std::filesystem::rename(kept.world.path("away"), kept.world.path("one.key"));
    CHECK(kept.check().size() == 1);
    CHECK(kept.shown() == "first.test");
}

TEST_CASE("what failed for want of descriptors is tried again though no file changes") {
    Kept kept;
    kept.world.pair("one", {"second.test"});
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    const rlimit none{0, limit.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &none);
    const auto notices = kept.check();
    ::setrlimit(RLIMIT_NOFILE, &limit);
    REQUIRE(notices.size() == 1);
    CHECK(notices[0].text.find("Too many open files; raise the limit") != std::string::npos);
    CHECK(kept.check().size() == 1);
    CHECK(kept.shown() == "second.test");
}

TEST_CASE("a start with broken files is refused with a sentence") {
    TlsSettings settings;
    settings.pairs = {{"/nowhere/a.pem", "/nowhere/a.key", ""}};
    const auto opened = TlsCertificates::open(settings, wall_now());
    REQUIRE_FALSE(opened.has_value());
    CHECK(opened.error().starts_with("TLS certificate /nowhere/a.pem: No such file"));
}

TEST_CASE("SIGHUP brings other settings, or leaves the old in force") {
    Kept kept;
    TlsSettings other;
    other.pairs = {kept.world.pair("two", {"other.test"})};
    CHECK(kept.certificates->reload(other, wall_now()).size() == 1);
    CHECK(kept.shown() == "other.test");
    TlsSettings broken = other;
    broken.pairs[0].key = "/nowhere/key";
    const auto notices = kept.certificates->reload(broken, wall_now());
    REQUIRE(notices.size() == 1);
    CHECK(notices[0].level == LogLevel::error);
    CHECK(kept.shown() == "other.test");
}

TEST_CASE(
    "sessions are resumed after a renewal, and under a changed ticket file while it has the key") {
    Kept kept;
    kept.settings.ticket_keys = kept.world.write("tickets", std::string(80, 'a'));
    kept.certificates->reload(kept.settings, wall_now());
    TlsTalk first(kept.certificates->current());
    REQUIRE(first.shake());
    SSL_SESSION* session = first.client.take_session();
    const auto is_resumed = [&] {
        TlsTalk talk(kept.certificates->current(), {.session = session});
        REQUIRE(talk.shake());
        return talk.server.details().is_resumed;
    };
    kept.world.pair("one", {"first.test"});
    kept.world.write("tickets", std::string(80, 'b') + std::string(80, 'a'));
    CHECK(kept.check().size() == 1);
    CHECK(is_resumed());
    kept.world.write("tickets", "short");
    CHECK(kept.check().size() == 1);
    CHECK(is_resumed());
    kept.world.write("tickets", std::string(80, 'b'));
    CHECK(kept.check().size() == 1);
    CHECK_FALSE(is_resumed());
    SSL_SESSION_free(session);
}

TEST_CASE("own ticket keys are replaced in time by check(), also while the files are broken") {
    Kept kept;
    TlsTalk first(kept.certificates->current());
    REQUIRE(first.shake());
    SSL_SESSION* session = first.client.take_session();
    kept.world.write("one.key", "rubbish");
    for (const int hours : {5, 10, 15}) {
        kept.certificates->check({wall_now().nanoseconds + hours * 3'600'000'000'000});
    }
    TlsTalk late(kept.certificates->current(), {.session = session});
    REQUIRE(late.shake());
    CHECK_FALSE(late.server.details().is_resumed);
    SSL_SESSION_free(session);
}

TEST_CASE("the end of a stapled response is said once") {
    Kept kept;
    const Issued leaf = make_certificate({"leaf.test"}, &kept.world.issuer());
    kept.settings.pairs = {kept.world.write_pair("leaf", leaf)};
    kept.settings.pairs[0].ocsp =
        kept.world.write("leaf.ocsp", make_staple(leaf, kept.world.issuer(), {.last_day = 2}));
    kept.certificates->reload(kept.settings, wall_now());
    CHECK(kept.check().empty());
    const auto notices = kept.certificates->check(days_from_now(3));
    REQUIRE(notices.size() == 1);
    CHECK(notices[0].text.find("has ended and is sent no more") != std::string::npos);
    CHECK(kept.certificates->check(days_from_now(4)).empty());
}

}  // namespace restante
