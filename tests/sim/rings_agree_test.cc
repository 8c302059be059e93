// Whole sessions on each ring: the same mail and the same client's octets must give the same
// octets, and leave the same mail, on io_uring, on epoll and in the simulator.
// RESTANTE_RING_SEEDS: how many.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "net/listener.h"
#include "server/policies.h"
#include "sim/scenario.h"
#include "unit/kernel_rings.h"

namespace restante::sim {
namespace {

constexpr std::uint64_t seeds_default = 21;  // three for each way to deliver
constexpr std::string_view user = "mrose";
constexpr std::string_view password = "tanstaaf";
constexpr std::size_t lines_max = 40;

/// What a run is made of.
struct Visit {
    std::string strategy;
    std::map<std::string, std::string> mail;  // by file name
    std::vector<std::string> pieces;          // as the client sends them
};
struct Outcome {
    std::string received;
    std::vector<std::string> left;  // file names
    friend bool operator==(const Outcome&, const Outcome&) = default;
};

std::string some_octets(SimRandom& random) {
    static const std::string pieces[] = {"\n",  "\r\n", ".", "\n.\n", "\r", "words in a line",
                                         "\xFE"};
    std::string octets = "Subject: a message\n\n";
    std::uint64_t count = random.below(60);
    if (random.chance(0.2)) count = 1000 * random.below(200);
    for (; count > 0; --count) octets += pieces[random.below(std::size(pieces))];
    if (random.coin()) return octets;
    std::string ready = "Subject: wire-ready\r\n\r\n";
    while (ready.size() < octets.size()) ready += "No line of it begins with a dot.\r\n";
    return ready;
}

std::string some_line(SimRandom& random) {
    const std::string number = std::to_string(random.below(8));
    switch (random.below(14)) {
        case 0: return "CAPA";
        case 1: return "STAT";
        case 2: return "LIST";
        case 3: return "UIDL";
        case 4: return "LIST " + number;
        case 5: return "UIDL " + number;
        case 6: return "TOP " + number + " " + std::to_string(random.below(9));
        case 7: return "DELE " + number;
        case 8: return random.chance(0.2) ? "RSET" : "NOOP";
        case 9: return std::string(random.below(300), 'x');
        default: return "RETR " + number;
    }
}

Visit visit_of(std::uint64_t seed) {
    SimRandom random(seed);
    Visit visit;
    visit.strategy = delivery_strategies[seed % delivery_strategies.size()];
    for (std::uint64_t at = 0; at < 1 + random.below(6); ++at) {
        const bool is_seen = random.coin();
        const std::string base = fmt::format("11300000{:02}.M{}P1.pop.example.org", at, at);
        visit.mail[is_seen ? base + ":2,S" : base] = some_octets(random);
    }
    std::string said = fmt::format("USER {}\r\nPASS {}\r\n", user, password);
    for (std::uint64_t lines = random.below(lines_max); lines > 0; --lines)
        said += some_line(random) + "\r\n";
    if (random.chance(0.8)) said += "QUIT\r\n";  // else the client only ends
    while (!said.empty()) {
        const std::size_t octets = 1 + random.below(random.coin() ? 10 : 4000);
        visit.pieces.push_back(said.substr(0, octets));
        said.erase(0, octets);
    }
    return visit;
}

Outcome in_the_simulator(std::uint64_t seed, const Visit& visit) {
    World world({.seed = seed}, delivered_by(visit.strategy));
    world.add_user(user, password);
    for (const auto& [name, octets] : visit.mail) world.deliver(user, name, octets);
    world.wait(std::chrono::seconds(1));
    Client client = world.connect();
    for (const std::string& piece : visit.pieces) client.send(piece);
    client.finish();
    REQUIRE(world.ring().run_until([&client] { return client.has_server_closed(); }));
    world.settle();
    return {client.received(), world.messages(user)};
}

/// A folder of mail on the real disk, gone at the end.
class Mail {
public:
    explicit Mail(const Visit& visit) {
        char name[] = "/tmp/restante-rings.XXXXXX";
        REQUIRE(::mkdtemp(name) != nullptr);
        root_ = name;
        for (const char* part : {"new", "cur", "tmp"})
            std::filesystem::create_directories(root_ / user / part);
        for (const auto& [file, octets] : visit.mail) {
            const char* folder = file.contains(':') ? "cur" : "new";
            std::ofstream(root_ / user / folder / file, std::ios::binary) << octets;
        }
    }
    Mail(const Mail&) = delete;
    Mail& operator=(const Mail&) = delete;
    ~Mail() { std::filesystem::remove_all(root_); }

    std::string root() const { return root_.string(); }
    std::vector<std::string> left() const {
        std::vector<std::string> names;
        for (const char* part : {"new", "cur"}) {
            for (const auto& entry : std::filesystem::directory_iterator(root_ / user / part)) {
                const std::string name = entry.path().filename();
                names.push_back(name.substr(0, name.find(':')));
            }
        }
        std::ranges::sort(names);
        return names;
    }

private:
    std::filesystem::path root_;
};

Config config_of(const std::string& root, const Visit& visit) {
    const std::string text = fmt::format(
        "hostname = \"pop.example.org\"\n"
        "listener.pop3.address = [\"127.0.0.1:0\"]\n"
        "auth.allow_cleartext = true\n"
        "auth.backend.local.type = \"passwd-file\"\n"
        "auth.backend.local.path = \"/etc/restante/users\"\n"
        "log.level = \"error\"\n"
        "storage.maildir = \"{}/{{user}}\"\n"
        "delivery.strategy = \"{}\"\n",
        root, visit.strategy);
    std::expected<Config, ConfigErrors> config = parse_config(text, "/etc/restante/restante.toml");
    REQUIRE(config.has_value());
    return *config;
}

/// A server on `ring`, for one client.
class KernelServer {
public:
    KernelServer(Ring& ring, const Config& config)
        : ring_(ring),
          config_(config),
          sink_(ring, ::open("/dev/null", O_WRONLY | O_CLOEXEC)),
          log_(ring, sink_.get(), config.log.level, config.log.ident),
          options_(store_options(config).value()),
          store_(ring, log_, buffers_, options_),
          delivery_(make_delivery(config.delivery, ring, buffers_)) {
        verifier_.add(user, password);
        std::vector<Fd> sockets = *make_listeners(*SocketAddress::parse("127.0.0.1:0"), 1);
        address_ = local_address(sockets[0].get());
        std::vector<ListeningSocket> listeners;
        listeners.push_back({Handle(ring, ::dup(sockets[0].get())), TlsMode::none});
        reactor_ = std::make_unique<Reactor>(
            SessionService{ring, login_, store_, *delivery_, buffers_, log_, policy_, nullptr,
                           throttle_, user_sessions_},
            log_, address_connections_, std::move(listeners),
            ReactorLimits{100, 0, config.limits.drain_timeout});
    }

    /// All that came in answer.
    std::string serve(const std::vector<std::string>& pieces) {
        std::string received;
        std::thread client([this, &pieces, &received] {
            received = visit(pieces);
            reactor_->stop();
        });
        reactor_->run();
        client.join();
        return received;
    }

private:
    /// Blocks, on a thread of its own. What it says fits into the kernel's buffers.
    std::string visit(const std::vector<std::string>& pieces) const {
        const Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        if (::connect(socket.get(), address_.raw(), address_.octets()) != 0) return "not connected";
        const int at_once = 1;
        ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &at_once, sizeof at_once);
        for (const std::string& piece : pieces)
            [[maybe_unused]] const ssize_t sent =
                ::send(socket.get(), piece.data(), piece.size(), MSG_NOSIGNAL);
        ::shutdown(socket.get(), SHUT_WR);
        std::string received;
        char octets[64 * 1024];
        for (ssize_t got; (got = ::recv(socket.get(), octets, sizeof octets, 0)) > 0;)
            received.append(octets, static_cast<std::size_t>(got));
        return received;
    }

    Ring& ring_;
    const Config& config_;
    SimVerifier verifier_{ring_};
    const SessionPolicy policy_ = session_policy(config_);
    Throttle throttle_{throttle_settings(config_)};
    Tally user_sessions_;
    Tally address_connections_;
    LoginVerifier login_{LoginSources{verifier_, user_name_rules(config_)}};
    Handle sink_;
    BufferPool buffers_;
    ReactorLog log_;
    const StoreOptions options_;
    MaildirStore store_;
    std::unique_ptr<Delivery> delivery_;
    SocketAddress address_;
    std::unique_ptr<Reactor> reactor_;
};

template <class Kernel>
Outcome on_kernel(const Visit& visit) {
    const Mail mail(visit);
    const Config config = config_of(mail.root(), visit);
    HelperPool helpers(default_helper_sizes());
    const std::unique_ptr<Ring> ring = Kernel::make(helpers);
    std::string received = KernelServer(*ring, config).serve(visit.pieces);
    return {std::move(received), mail.left()};
}

}  // namespace

TEST_CASE("kernel rings: a session's octets are those of the simulator, on io_uring and on epoll") {
    ::signal(SIGPIPE, SIG_IGN);  // as server/signals.cc does
    const std::uint64_t seeds = environment_number("RESTANTE_RING_SEEDS", seeds_default);
    for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
        CAPTURE(seed);
        const Visit visit = visit_of(seed);
        const Outcome expected = in_the_simulator(seed, visit);
        REQUIRE(expected.received.contains("+OK logged in"));
        const bool is_same_on_uring = on_kernel<OnUring>(visit) == expected;
        const bool is_same_on_epoll = on_kernel<OnEpoll>(visit) == expected;
        REQUIRE(is_same_on_uring);
        REQUIRE(is_same_on_epoll);
    }
}

}  // namespace restante::sim
