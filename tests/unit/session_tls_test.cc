// Sessions under TLS in the simulator: a whole server, and OpenSSL's client at the other end of a
// simulated connection.
#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

#include "sim/tls_client.h"
#include "unit/session_tls_world.h"

namespace restante::sim {
namespace {

/// A client in plain text at first; after shake() under TLS.
class TlsTalk {
public:
    explicit TlsTalk(TlsServer& server) : server_(server), client_(server.connect()) {}

    /// What the server answers within a second.
    std::string ask(std::string_view octets) {
        client_.send(octets);
        server_.ring().run_for(std::chrono::seconds(1));
        return client_.take_received();
    }
    bool shake() {
        bool is_done = tls_.handshake();
        for (int turns = 0; turns < 10; ++turns) {
            carry();
            is_done = tls_.handshake();
        }
        greeting_ = tls_.read();
        return is_done;
    }
    std::string ask_secretly(std::string_view octets) {
        tls_.write(octets);
        carry();
        return tls_.read();
    }
    const std::string& greeting() const { return greeting_; }
    Client& client() { return client_; }
    TlsClient& tls() { return tls_; }

private:
    void carry() { tls_.feed(ask(tls_.take_outgoing())); }

    TlsServer& server_;
    Client client_;
    TlsClient tls_;
    std::string greeting_;
};

const std::vector<SimOptions> moods = {{.seed = 1}, {.seed = 2, .octet_by_octet = true}};

}  // namespace

TEST_CASE("TLS from the first octet: the whole session is under it (RFC 8314 §3.3)") {
    for (const SimOptions& mood : moods) {
        const std::string message(tls_server_message);
        TlsServer server(TlsMode::required, mood);
        TlsTalk talk(server);
        REQUIRE(talk.shake());
        CHECK(talk.greeting() == "+OK POP3 ready\r\n");
        CHECK(talk.ask_secretly("STLS\r\n") == "-ERR TLS is in use\r\n");
        CHECK(talk.ask_secretly("USER mrose\r\n") == "+OK\r\n");
        CHECK(talk.ask_secretly("PASS secret\r\n") == "+OK logged in\r\n");
        CHECK(talk.ask_secretly("RETR 1\r\n") ==
              "+OK " + std::to_string(message.size()) + " octets\r\n" + message + ".\r\n");
        CHECK(talk.ask_secretly("DELE 1\r\nQUIT\r\n").ends_with("+OK bye\r\n"));
        CHECK(talk.tls().has_close_notify());
        CHECK(talk.client().has_server_closed());
        CHECK(server.messages().empty());
        CHECK(server.log().contains("rip=198.51.100.7, lip=192.0.2.25, TLS, "));
    }
}

TEST_CASE("STLS forgets the user that was named before it (RFC 2595 §4)") {
    for (const SimOptions& mood : moods) {
        TlsServer server(TlsMode::starttls, mood, true);
        TlsTalk talk(server);
        CHECK(talk.ask("USER mrose\r\n") == "+OK POP3 ready\r\n+OK\r\n");
        CHECK(talk.ask("STLS\r\n") == "+OK begin TLS\r\n");
        REQUIRE(talk.shake());
        CHECK(talk.ask_secretly("PASS secret\r\n") == "-ERR USER first\r\n");
        CHECK(talk.ask_secretly("NOOP\r\n").starts_with("-ERR"));
    }
}

TEST_CASE("STLS: there is no greeting after it, and passwords may be sent (RFC 2595 §4)") {
    for (const SimOptions& mood : moods) {
        TlsServer server(TlsMode::starttls, mood);
        TlsTalk talk(server);
        CHECK(talk.ask("CAPA\r\n").contains("\r\nSTLS\r\n"));
        CHECK(talk.ask("USER mrose\r\n").starts_with("-ERR"));
        CHECK(talk.ask("STLS\r\n") == "+OK begin TLS\r\n");
        REQUIRE(talk.shake());
        CHECK(talk.greeting() == "");
        const std::string offered = talk.ask_secretly("CAPA\r\n");
        CHECK(offered.contains("\r\nUSER\r\n"));
        CHECK_FALSE(offered.contains("STLS"));
        CHECK(talk.ask_secretly("AUTH PLAIN AG1yb3NlAHNlY3JldA==\r\n") == "+OK logged in\r\n");
        CHECK(talk.ask_secretly("STAT\r\nQUIT\r\n").starts_with("+OK 1 "));
        CHECK(server.messages().size() == 1);
    }
}

TEST_CASE("STLS with anything behind it ends the connection: it was not protected") {
    for (const SimOptions& mood : moods) {
        if (mood.octet_by_octet) continue;  // what comes later is the handshake's
        TlsServer server(TlsMode::starttls, mood);
        TlsTalk talk(server);
        CHECK(talk.ask("STLS\r\nUSER mrose\r\n").find("begin TLS") == std::string::npos);
        CHECK(talk.client().has_server_closed());
    }
}

TEST_CASE("STLS is refused where the listener does not offer it") {
    TlsServer server(TlsMode::none, {});
    TlsTalk talk(server);
    CHECK_FALSE(talk.ask("CAPA\r\n").contains("STLS"));
    CHECK(talk.ask("STLS\r\n") == "-ERR TLS is not offered\r\n");
    CHECK(talk.ask("QUIT\r\n") == "+OK bye\r\n");
}

TEST_CASE("a ClientHello that is none ends the connection, and the log says why") {
    for (const TlsMode mode : {TlsMode::starttls, TlsMode::required}) {
        TlsServer server(mode, {});
        TlsTalk talk(server);
        if (mode == TlsMode::starttls) CHECK(talk.ask("STLS\r\n").contains("begin TLS"));
        talk.ask("GET / HTTP/1.1\r\n\r\n");
        CHECK(talk.client().has_server_closed());
        CHECK(server.log().contains("TLS handshaking: "));
    }
}

TEST_CASE("a client that stalls in the handshake is closed when the time to log in is over") {
    TlsServer server(TlsMode::required, {});
    TlsTalk talk(server);
    talk.ask("\x16\x03\x01");
    CHECK_FALSE(talk.client().has_server_closed());
    server.ring().run_for(std::chrono::minutes(3));
    CHECK(talk.client().has_server_closed());
}

}  // namespace restante::sim
