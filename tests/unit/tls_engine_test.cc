#include "net/tls_engine.h"

#include <doctest/doctest.h>
#include <openssl/ssl.h>

#include <random>
#include <string>

#include "unit/tls_world.h"

using namespace std::string_view_literals;

namespace restante {
namespace {

using Client = sim::TlsClientSettings;

const TlsWorld& world() {
    static const TlsWorld only;
    return only;
}

const std::shared_ptr<const TlsContext>& context() {
    static const std::shared_ptr<const TlsContext> only = context_of(world().settings());
    return only;
}

Client of_version(int version) { return {.min_version = version, .max_version = version}; }

std::string long_text(std::size_t octets) {
    std::string text(octets, '\0');
    for (std::size_t i = 0; i < octets; ++i) text[i] = static_cast<char>('a' + i * 7 % 26);
    return text;
}

}  // namespace

TEST_CASE("a handshake and octets both ways, TLS 1.2 and 1.3, under every chunking") {
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        for (const std::size_t piece : {std::size_t{1}, std::size_t{2}, std::size_t{5},
                                        std::size_t{17}, std::size_t{1000}, SIZE_MAX}) {
            CAPTURE(version);
            CAPTURE(piece);
            TlsTalk talk(context(), of_version(version));
            talk.piece = piece;
            REQUIRE(talk.shake());
            CHECK(talk.ask("CAPA\r\n") == "CAPA\r\n");
            CHECK(talk.say("+OK\r\n") == "+OK\r\n");
            CHECK(talk.server.details().version ==
                  (version == TLS1_2_VERSION ? "TLSv1.2" : "TLSv1.3"));
            CHECK(talk.server.outgoing().empty());
            CHECK_FALSE(talk.server.has_input_pending());
        }
    }
}

TEST_CASE("any amount of plaintext goes out, a bounded amount of ciphertext at a time") {
    TlsTalk talk(context());
    REQUIRE(talk.shake());
    const std::string text = long_text(1'000'000);
    CHECK(talk.server.write(text) >= tls_write_octets);
    CHECK(talk.server.outgoing().size() <= tls_outgoing_octets_max);
    CHECK(talk.server.write(text) < 16'384);  // what is left of the room
    TlsTalk other(context());
    REQUIRE(other.shake());
    CHECK(other.say(text) == text);
}

TEST_CASE("octets sent in part leave the rest in place") {
    TlsTalk talk(context());
    REQUIRE(talk.shake());
    CHECK(talk.server.write("+OK one\r\n"sv) == 9);
    CHECK(talk.server.write("+OK two\r\n"sv) == 9);
    const std::span<const char> octets = talk.server.outgoing();
    talk.client.feed(octets.first(10));
    talk.server.consumed(10);
    CHECK(talk.server.outgoing().data() == octets.data() + 10);
    talk.carry_to_client();
    CHECK(talk.client.read() == "+OK one\r\n+OK two\r\n");
}

TEST_CASE("no more ciphertext is taken than there is room for, and none of it is lost") {
    TlsTalk talk(context());
    REQUIRE(talk.shake());
    const std::string text = long_text(100'000);
    for (std::size_t at = 0; at < text.size(); at += 10'000) {
        talk.client.write(std::string_view(text).substr(at, 10'000));
    }
    const std::string ciphertext = talk.client.take_outgoing();
    REQUIRE(ciphertext.size() > text.size());
    CHECK(talk.server.feed(ciphertext) == tls_incoming_octets_max);
    CHECK(talk.server.room() == 0);
    CHECK(talk.server.feed("x"sv) == 0);
    talk.serve();
    talk.carry_to_server(std::string_view(ciphertext).substr(tls_incoming_octets_max));
    CHECK(talk.received == text);
}

TEST_CASE("the pair fits the signature algorithms that the client knows") {
    TlsTalk ecdsa(context(), {.signature_algorithms = "ECDSA+SHA256"});
    REQUIRE(ecdsa.shake());
    CHECK(ecdsa.client.common_name() == "ecdsa.test");
    TlsTalk rsa(context(), {.signature_algorithms = "RSA-PSS+SHA256:RSA+SHA256"});
    REQUIRE(rsa.shake());
    CHECK(rsa.client.common_name() == "rsa.test");
    TlsTalk old_rsa(context(), {.max_version = TLS1_2_VERSION,
                                .signature_algorithms = "RSA+SHA256:RSA-PSS+SHA256",
                                .ciphers = "DHE-RSA-AES128-GCM-SHA256"});
    REQUIRE(old_rsa.shake());
    CHECK(old_rsa.client.common_name() == "rsa.test");
}

TEST_CASE("the client's order of ciphers counts, and weak ones are refused") {
    TlsTalk chacha(context(),
                   {.tls_1_3_ciphers = "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256"});
    REQUIRE(chacha.shake());
    CHECK(chacha.server.details().cipher == "TLS_CHACHA20_POLY1305_SHA256");
    for (const char* weak : {"AES128-SHA", "AES128-GCM-SHA256", "ECDHE-RSA-AES128-SHA256",
                             "ECDHE-ECDSA-AES256-SHA", "DHE-RSA-AES256-SHA256"}) {
        CAPTURE(weak);
        TlsTalk talk(context(), {.max_version = TLS1_2_VERSION, .ciphers = weak});
        CHECK_FALSE(talk.shake());
        CHECK(talk.server.failure() ==
              "TLS handshaking: SSL_accept() failed: no shared cipher: the client offers no cipher "
              "that fits the certificate and the rules");
    }
    TlsTalk group(context(), {.groups = "P-521"});
    CHECK_FALSE(group.shake());
    CHECK(group.status == TlsStatus::failed);
}

TEST_CASE("a client without TLS 1.2 is refused, and is told so") {
    for (const int version : {TLS1_VERSION, TLS1_1_VERSION}) {
        TlsTalk talk(context(), of_version(version));
        CHECK_FALSE(talk.shake());
        CHECK(talk.status == TlsStatus::failed);
        CHECK(talk.client.failure() == "tlsv1 alert protocol version");
        CHECK(talk.server.failure() ==
              "TLS handshaking: SSL_accept() failed: unsupported protocol: the client offers no "
              "version of TLS that is allowed here");
    }
    TlsSettings settings = world().settings();
    settings.min_version = TlsVersion::tls_1_3;
    const std::shared_ptr<const TlsContext> strict = context_of(settings);
    CHECK_FALSE(TlsTalk(strict, of_version(TLS1_2_VERSION)).shake());
    CHECK(TlsTalk(strict, of_version(TLS1_3_VERSION)).shake());
}

TEST_CASE("ALPN: pop3 is chosen, none is served, anything else is refused (RFC 7301 §3.2)") {
    TlsTalk right(context());
    REQUIRE(right.shake());
    const unsigned char* chosen = nullptr;
    unsigned octets = 0;
    SSL_get0_alpn_selected(right.client.ssl(), &chosen, &octets);
    CHECK(std::string(reinterpret_cast<const char*>(chosen), octets) == "pop3");
    CHECK(TlsTalk(context(), {.alpn = ""}).shake());
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        TlsTalk wrong(context(), {.min_version = version, .max_version = version, .alpn = "imap"});
        CHECK_FALSE(wrong.shake());
        CHECK(wrong.client.failure() == "tlsv1 alert no application protocol");
        CHECK(wrong.server.failure().ends_with("another protocol than pop3"));
    }
}

TEST_CASE("renegotiation is refused, and the connection goes on") {
    TlsTalk talk(context(), of_version(TLS1_2_VERSION));
    REQUIRE(talk.shake());
    CHECK(SSL_renegotiate(talk.client.ssl()) == 1);
    talk.client.handshake();
    SSL_do_handshake(talk.client.ssl());
    const std::string hello = talk.client.take_outgoing();
    REQUIRE_FALSE(hello.empty());
    talk.carry_to_server(hello);
    const std::span<const char> alert = talk.server.outgoing();
    REQUIRE(alert.size() > 5);
    CHECK(alert[0] == SSL3_RT_ALERT);
    CHECK(alert.size() < 64);  // no ServerHello
    CHECK(talk.server.write("+OK\r\n"sv) == 5);
}

TEST_CASE("close_notify is told from a connection that breaks off") {
    TlsTalk polite(context());
    REQUIRE(polite.shake());
    polite.client.close();
    polite.carry_to_server(polite.client.take_outgoing());
    CHECK(polite.status == TlsStatus::closed);
    CHECK(polite.say("+OK bye\r\n") == "+OK bye\r\n");
    polite.server.close();
    polite.server.close();
    polite.carry_to_client();
    polite.client.read();
    CHECK(polite.client.has_close_notify());
    CHECK(polite.server.write("+OK\r\n"sv) == 0);

    TlsTalk rude(context());
    REQUIRE(rude.shake());
    rude.server.feed_end();
    rude.serve();
    CHECK(rude.status == TlsStatus::truncated);
    CHECK(rude.server.failure().empty());
}

TEST_CASE("octets that came before the end are read before the end is seen") {
    TlsTalk talk(context());
    REQUIRE(talk.shake());
    talk.client.write("QUIT\r\n");
    const std::string ciphertext = talk.client.take_outgoing();
    CHECK(talk.server.feed(ciphertext) == ciphertext.size());
    talk.server.feed_end();
    CHECK(talk.server.has_input_pending());
    char text[2];
    TlsRead read = talk.server.read(text);
    CHECK(read.status == TlsStatus::ready);
    CHECK(read.octets == 2);
    CHECK(talk.server.has_plaintext_pending());
    talk.serve();
    CHECK(talk.received == "IT\r\n");
    CHECK_FALSE(talk.server.has_plaintext_pending());
    CHECK(talk.status == TlsStatus::truncated);
}

TEST_CASE("octets after the client's part of the handshake are no part of it") {
    // Sent with the Finished message: TLS 1.3 allows it, and the server must not read on by itself.
    TlsTalk talk(context(), of_version(TLS1_3_VERSION));
    talk.client.handshake();
    const std::string hello = talk.client.take_outgoing();
    talk.server.feed(hello);
    CHECK(talk.server.handshake() == TlsStatus::wants_input);
    talk.carry_to_client();
    REQUIRE(talk.client.handshake());
    talk.client.write("CAPA\r\n");
    const std::string rest = talk.client.take_outgoing();
    talk.server.feed(rest);
    CHECK(talk.server.handshake() == TlsStatus::ready);
    CHECK(talk.server.has_input_pending());
    talk.serve();
    CHECK(talk.received == "CAPA\r\n");
}

TEST_CASE("what is no ClientHello is refused with a sentence that says what it was") {
    struct Row {
        std::string octets;
        std::string sentence;
    };
    const std::vector<Row> rows = {
        {"GET / HTTP/1.1\r\nHost: pop.example.net\r\n\r\n", "http request: the client speaks HTTP"},
        {"CAPA\r\nUSER joe\r\n", "wrong version number: what the client sends is not TLS"},
        {"\x16\x03\x01\x02\x01garbage, no ClientHello at all" + std::string(600, 'x'), ""},
        {std::string(100, '\0'), "wrong version number: what the client sends is not TLS"},
    };
    for (const Row& row : rows) {
        CAPTURE(row.sentence);
        TlsTalk talk(context());
        talk.carry_to_server(row.octets);
        CHECK(talk.status == TlsStatus::failed);
        CHECK(talk.server.failure().starts_with("TLS handshaking: SSL_accept() failed: " +
                                                row.sentence));
        CHECK(talk.server.feed("more"sv) == 0);
        CHECK(talk.server.handshake() == TlsStatus::failed);
    }
}

TEST_CASE("a handshake that never ends is bounded in octets") {
    TlsTalk talk(context());
    std::string hello = {0x16, 0x03, 0x01, 0x40, 0x00, 0x01, 0x01, '\xff', '\xff'};  // 128 KiB
    hello.resize(5 + 0x4000, 'x');
    std::size_t fed = 0;
    while (talk.status == TlsStatus::wants_input && fed < 1'000'000) {
        talk.carry_to_server(hello);
        fed += hello.size();
        hello = {0x16, 0x03, 0x01, 0x40, 0x00};
        hello.resize(5 + 0x4000, 'x');
    }
    CHECK(talk.status == TlsStatus::failed);
    CHECK(fed <= tls_handshake_octets_max + 2 * 0x4000);
    CHECK(talk.server.failure().ends_with("the client's part of the handshake is too long"));
}

TEST_CASE("a peer that hangs up in the handshake is no error of OpenSSL's") {
    TlsEngine engine(context());
    engine.feed_end();
    CHECK(engine.handshake() == TlsStatus::truncated);
    CHECK(engine.failure() == "TLS handshaking: Disconnected");
}

TEST_CASE("an alert of the client's is named") {
    TlsTalk talk(context(), of_version(TLS1_2_VERSION));
    talk.client.handshake();
    talk.carry_to_server(talk.client.take_outgoing());
    talk.carry_to_server(std::string_view("\x15\x03\x03\x00\x02\x02\x30", 7));  // fatal, unknown_ca
    CHECK(talk.status == TlsStatus::failed);
    CHECK(talk.server.failure().ends_with(
        "tlsv1 alert unknown ca: the client does not trust the issuer of the certificate"));
}

TEST_CASE("channel bindings are the same at both ends (RFC 9266, RFC 5929)") {
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        TlsTalk talk(context(), of_version(version));
        REQUIRE(talk.shake());
        std::string exporter(32, '\0');
        CHECK(SSL_export_keying_material(talk.client.ssl(),
                                         reinterpret_cast<unsigned char*>(exporter.data()), 32,
                                         "EXPORTER-Channel-Binding", 24,
                                         reinterpret_cast<const unsigned char*>(""), 0, 1) == 1);
        CHECK(talk.server.channel_binding(ChannelBinding::tls_exporter) == exporter);
        char finished[64];
        const std::size_t octets = SSL_get_finished(talk.client.ssl(), finished, sizeof finished);
        const auto unique = talk.server.channel_binding(ChannelBinding::tls_unique);
        CHECK(unique.has_value() == (version == TLS1_2_VERSION));
        if (unique) CHECK(*unique == std::string(finished, octets));
        unsigned char digest[EVP_MAX_MD_SIZE];
        unsigned digest_octets = 0;
        X509_digest(SSL_get0_peer_certificate(talk.client.ssl()), EVP_sha256(), digest,
                    &digest_octets);
        CHECK(talk.server.channel_binding(ChannelBinding::tls_server_end_point) ==
              std::string(digest, digest + digest_octets));
    }
    TlsTalk one(context());
    TlsTalk other(context());
    REQUIRE(one.shake());
    REQUIRE(other.shake());
    CHECK(one.server.channel_binding(ChannelBinding::tls_exporter) !=
          other.server.channel_binding(ChannelBinding::tls_exporter));
}

TEST_CASE("a ClientHello with random changes never does more than fail") {
    std::mt19937 random(20240607);
    for (int round = 0; round < 2'000; ++round) {
        TlsTalk talk(context(), of_version(round % 2 == 0 ? TLS1_2_VERSION : TLS1_3_VERSION));
        talk.piece = round % 3 == 0 ? 1 + random() % 50 : SIZE_MAX;
        talk.client.handshake();
        std::string flight = talk.client.take_outgoing();
        if (round % 4 == 0) {  // the second flight
            talk.carry_to_server(flight);
            talk.carry_to_client();
            talk.client.handshake();
            flight = talk.client.take_outgoing();
        }
        for (unsigned changes = 1 + random() % 4; changes > 0 && !flight.empty(); --changes) {
            flight[random() % flight.size()] = static_cast<char>(random());
        }
        talk.carry_to_server(flight);
        talk.carry_to_client();
        CHECK(talk.server.outgoing().empty());
    }
}

TEST_CASE("random octets instead of a handshake, and after it, never do more than fail") {
    std::mt19937 random(7);
    for (int round = 0; round < 500; ++round) {
        TlsTalk talk(context());
        if (round % 2 == 0) REQUIRE(talk.shake());
        std::string octets(1 + random() % 2'000, '\0');
        for (char& c : octets) c = static_cast<char>(random());
        if (round % 3 != 0) octets.replace(0, 3, "\x17\x03\x03");  // looks like a record
        talk.carry_to_server(octets);
        talk.server.feed_end();
        talk.serve();
        CHECK(talk.status != TlsStatus::ready);
        CHECK(talk.received.empty());
    }
}

}  // namespace restante
