// RFC 7662, against a server in this process that answers as a test wants.
#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "auth/introspection.h"
#include "auth/sasl_exchange.h"
#include "base/base64.h"
#include "unit/passwd_world.h"

using namespace std::chrono_literals;

namespace restante {
namespace {

constexpr std::string_view active = R"({"active":true,"username":"mrose"})";

std::string http(std::string_view body, std::string_view status = "200 OK") {
    return "HTTP/1.1 " + std::string(status) +
           "\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
           "\r\n\r\n" + std::string(body);
}

/// Answers every request on a port of loopback with the same octets.
class EndPoint {
public:
    explicit EndPoint(std::string answer) : answer_(std::move(answer)) {
        listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        REQUIRE(::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
        REQUIRE(::listen(listener_, 16) == 0);
        socklen_t octets = sizeof address;
        ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &octets);
        port_ = ntohs(address.sin_port);
        thread_ = std::thread([this] { serve(); });
    }
    ~EndPoint() {
        stopping_ = true;
        thread_.join();
        ::close(listener_);
    }
    std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/introspect"; }

    bool is_silent = false;  ///< takes requests and never answers
    std::atomic<int> connections = 0;
    std::atomic<int> requests = 0;
    std::string last_request;  ///< to be read when user_of() is through

private:
    bool is_readable(int descriptor) {
        pollfd waiting{descriptor, POLLIN, 0};
        while (!stopping_) {
            if (::poll(&waiting, 1, 10) > 0) return true;
        }
        return false;
    }
    void serve() {
        while (is_readable(listener_)) {
            const int client = ::accept(listener_, nullptr, nullptr);
            ++connections;
            while (answer_one(client)) {
            }
            ::close(client);
        }
    }
    bool answer_one(int client) {
        std::string request;
        char space[4096];
        for (std::size_t needed = 1; request.size() < needed;) {
            if (!is_readable(client)) return false;
            const ssize_t got = ::recv(client, space, sizeof space, 0);
            if (got <= 0) return false;
            request.append(space, static_cast<std::size_t>(got));
            needed = octets_of(request);
        }
        last_request = request;
        ++requests;
        if (is_silent) return is_readable(client) && false;
        return ::send(client, answer_.data(), answer_.size(), MSG_NOSIGNAL) ==
               static_cast<ssize_t>(answer_.size());
    }
    /// Of the whole request, as far as that is known.
    static std::size_t octets_of(const std::string& request) {
        const std::size_t head = request.find("\r\n\r\n");
        const std::size_t length = request.find("Content-Length: ");
        if (head == std::string::npos || length == std::string::npos) return request.size() + 1;
        return head + 4 + std::stoul(request.substr(length + 16));
    }

    const std::string answer_;
    int listener_ = -1;
    std::uint16_t port_ = 0;
    std::atomic<bool> stopping_ = false;
    std::thread thread_;
};

class Client {
public:
    explicit Client(const std::string& url) : settings(std::make_shared<IntrospectionSettings>()) {
        settings->endpoint = url;
        settings->client_id = "restante";
        settings->client_secret = "s3cret";
        ring.wall_nanoseconds = 1'700'000'000'000'000'000;
        REQUIRE(prepare_introspection(*settings).has_value());
    }
    Result<TokenUser> ask(std::string_view token) {
        if (!introspection) introspection.emplace(ring, log, throttle, settings);
        Task<Result<TokenUser>> task = introspection->user_of({token, {}, origin});
        task.start(nullptr, nullptr);
        REQUIRE(task.is_done());
        return task.take();
    }

    /// One more question, of that address; true where it is under way. The ring holds it.
    bool begin(std::string_view address) {
        if (!introspection) introspection.emplace(ring, log, throttle, settings);
        Question& question = questions.emplace_back();
        question.origin.peer = SocketAddress::parse(address).value();
        question.task.emplace(introspection->user_of({"abc", {}, question.origin}));
        question.task->start([](void*) {}, nullptr);
        if (!question.task->is_done()) return true;
        CHECK(question.task->take().error().kind == ErrorKind::exhausted);
        questions.pop_back();
        return false;
    }
    /// How many of those that were under way know the user now.
    std::size_t ended_well() {
        std::size_t count = 0;
        for (Question& question : questions) {
            REQUIRE(question.task->is_done());
            const Result<TokenUser> user = question.task->take();
            if (user && *user == "mrose") ++count;
        }
        questions.clear();
        return count;
    }

    InlineRing ring;
    MemoryLog log;
    Throttle throttle{{}};
    LoginOrigin origin;
    std::shared_ptr<IntrospectionSettings> settings;
    std::optional<Introspection> introspection;

private:
    struct Question {
        LoginOrigin origin;
        std::optional<Task<Result<TokenUser>>> task;
    };
    std::list<Question> questions;
};

TokenUser user_in(std::string_view body) {
    EndPoint end_point{http(body)};
    Client client(end_point.url());
    const Result<TokenUser> user = client.ask("abc");
    REQUIRE(user.has_value());
    return *user;
}

}  // namespace

TEST_CASE(
    "RFC 7662 §2.1: the token is asked about by POST, with the client's own name and secret") {
    EndPoint end_point{http(active)};
    Client client(end_point.url());
    CHECK(*client.ask("a+b/c=&d") == "mrose");
    const std::string& request = end_point.last_request;
    CHECK(request.starts_with("POST /introspect HTTP/1.1\r\n"));
    CHECK(request.find("Authorization: Basic " + base64_encode("restante:s3cret") + "\r\n") !=
          std::string::npos);
    CHECK(request.find("Accept: application/json\r\n") != std::string::npos);
    CHECK(request.ends_with("\r\n\r\ntoken_type_hint=access_token&token=a%2Bb%2Fc%3D%26d"));
}

TEST_CASE("introspection: a connection is kept for the next question") {
    EndPoint end_point{http(active)};
    Client client(end_point.url());
    for (int i = 0; i < 5; ++i) CHECK(*client.ask(std::string(token_octets_max, 'x')) == "mrose");
    CHECK(end_point.connections == 1);
    CHECK(end_point.requests == 5);
}

TEST_CASE("RFC 7662 §2.2: what is not active, or says not whose it is, is no login") {
    CHECK(user_in(R"({"active":true,"username":"mrose","exp":1700000001,"x":{"y":[1]}})") ==
          "mrose");
    for (const std::string_view body :
         {R"({"active":false,"username":"mrose"})", R"({"active":"true","username":"mrose"})",
          R"({"active":1,"username":"mrose"})", R"({"username":"mrose"})", R"({"active":true})",
          R"({"active":true,"sub":"mrose"})", R"({"active":true,"username":""})",
          R"({"active":true,"username":["mrose"]})",
          R"({"active":true,"username":"mrose","exp":1})",
          R"({"active":false,"active":true,"username":"mrose"})",
          R"({"active":true,"username":"mrose")", R"({"active":true,"username":"mrose"}x)",
          R"([{"active":true,"username":"mrose"}])", "null", "", "<html>", "\xFF\xFE"}) {
        CAPTURE(body);
        CHECK_FALSE(user_in(body).has_value());
    }
    CHECK_FALSE(
        user_in(R"({"active":true,"username":"mrose","x":)" + std::string(30000, '[')).has_value());
}

TEST_CASE(
    "introspection: another status, no HTTP, a cut answer and a huge one are troubles, once said") {
    for (const std::string& answer :
         {http(active, "401 Unauthorized"), http(active, "500 Oops"), http(active, "204 None"),
          std::string(
              "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"),
          std::string("+OK POP3 ready\r\n.\r\n"), http(std::string(token_json_octets_max + 1, ' ')),
          "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n" + std::string("{}")}) {
        CAPTURE(answer.substr(0, 30));
        EndPoint end_point{answer};
        Client client(end_point.url());
        client.settings->timeout = 300ms;
        for (int i = 0; i < 2; ++i) {
            const Result<TokenUser> user = client.ask("abc");
            REQUIRE_FALSE(user.has_value());
            CHECK(user.error().kind == ErrorKind::exhausted);
        }
        REQUIRE(client.log.lines.size() == 1);
        CHECK(client.log.lines[0].starts_with("token end point " + end_point.url() + ": "));
        CHECK(client.log.lines[0].find("s3cret") == std::string::npos);
    }
}

TEST_CASE("introspection: an end point that hangs is given up, one that is not there as well") {
    EndPoint silent{""};
    silent.is_silent = true;
    Client client(silent.url());
    client.settings->timeout = 100ms;
    CHECK_FALSE(client.ask("abc").has_value());
    Client nobody("http://127.0.0.1:1/");
    CHECK_FALSE(nobody.ask("abc").has_value());
    REQUIRE(nobody.log.lines.size() == 1);
    CHECK(nobody.log.lines[0].find("refused with [SYS/TEMP]") != std::string::npos);
}

TEST_CASE("introspection: a full queue is a trouble like the others") {
    EndPoint end_point{http(active)};
    Client client(end_point.url());
    client.ring.queue_is_full = true;
    CHECK_FALSE(client.ask("abc").has_value());
    client.ring.queue_is_full = false;
    CHECK(*client.ask("abc") == "mrose");
}

TEST_CASE(
    "introspection: of 64 questions under way one address has 16, an IPv6 /64 too; each end makes "
    "room") {
    // It serves one connection at a time, and each question here has one of its own.
    EndPoint end_point{http(active, "200 OK\r\nConnection: close")};
    Client client(end_point.url());
    client.ring.holds = introspection_helper;
    const auto places = [&client](std::string_view address, int tries) {
        int had = 0;
        for (int i = 0; i < tries; ++i) {
            had += client.begin(std::string(address) + std::to_string(i + 1)) ? 1 : 0;
        }
        return had;
    };
    CHECK(places("198.51.100.7:", 20) == 16);
    CHECK(places("[2001:db8::1]:", 10) == 10);
    CHECK(places("[2001:db8::ffff:2]:", 10) == 6);
    CHECK(places("[2001:db8:0:1::1]:", 20) == 16);
    CHECK(places("203.0.113.9:", 17) == 16);
    CHECK_FALSE(client.begin("203.0.113.10:1"));  // all are taken
    CHECK(client.log.lines.size() == 1);

    client.ring.release();
    CHECK(client.ended_well() == introspections_max);
    client.ring.holds = introspection_helper;
    CHECK(places("198.51.100.7:", 20) == 16);
    CHECK(client.begin("203.0.113.10:1"));
    client.ring.release();
    CHECK(client.ended_well() == 17);
}

TEST_CASE("introspection: issuer, audience and scope are looked at where they are expected") {
    const std::string body =
        R"({"active":true,"username":"mrose","iss":"i","aud":"a","scope":"mail"})";
    EndPoint end_point{http(body)};
    Client client(end_point.url());
    client.settings->expected.issuer = "i";
    client.settings->expected.audience = "a";
    client.settings->expected.scope = "mail";
    CHECK(*client.ask("abc") == "mrose");
    client.settings->expected.scope = "mail other";
    CHECK_FALSE(client.ask("abc")->has_value());
    client.settings->expected.scope.clear();
    client.settings->expected.audience = "b";
    CHECK_FALSE(client.ask("abc")->has_value());
}

TEST_CASE("introspection: the end point is https, or on this machine") {
    const auto is_taken = [](std::string_view url) {
        IntrospectionSettings settings;
        settings.endpoint = url;
        return prepare_introspection(settings).has_value();
    };
    CHECK(is_taken("https://id.example.org/introspect"));
    CHECK(is_taken("http://127.0.0.1:8080/introspect"));
    CHECK(is_taken("http://[::1]/"));
    CHECK(is_taken("http://localhost/"));
    for (const std::string_view wrong : {"http://id.example.org/", "http://127.0.0.1.example.org/",
                                         "ftp://127.0.0.1/", "file:///etc/passwd", "id.example.org",
                                         "", "https://", "http://127.0.0.1@example.org/"}) {
        CAPTURE(wrong);
        CHECK_FALSE(is_taken(wrong));
    }
}

}  // namespace restante
