/// What a connection that waits costs in user space, since 100,000 of them are to be affordable;
/// and how often a command asks for memory.

#include <doctest/doctest.h>
#include <sys/socket.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "allocation_count.h"
#include "base/slab.h"
#include "maildir/delivery.h"
#include "maildir/maildir_store.h"
#include "net/listener.h"
#include "ring/ring.h"
#include "server/reactor.h"
#include "server/reactor_log.h"
#include "unit/kernel_rings.h"

namespace restante {
namespace {

/// Holds nothing: what is counted is the session's own.
class EmptyMaildrop final : public Maildrop {
public:
    std::uint32_t count() const override { return 0; }
    pop3::Octets octets() const override { return {}; }
    MessageFacts message(std::uint32_t) const override { return {}; }
    std::uint32_t list(pop3::Listing, std::uint32_t, const pop3::DeletionMarks&,
                       pop3::ListingWriter&) const override {
        return 0;
    }
    Task<Result<MessageSource*>> open_message(std::uint32_t) override {
        co_return std::unexpected(Error{ErrorKind::not_found, 0, "open"});
    }
    void close_message() override {}
    Task<void> note_changed(std::uint32_t) override { co_return; }
    Task<CommitOutcome> commit(const pop3::DeletionMarks&) override {
        co_return CommitOutcome::done;
    }
};

class EmptyStore final : public Store {
public:
    Task<OpenedMaildrop> open(MaildropOwner) override {
        co_return std::make_unique<EmptyMaildrop>();
    }
};

class WillingVerifier final : public Verifier {
public:
    Task<Result<Verdict>> verify(Proof, LoginOrigin) override {
        Account account;
        account.name = "mrose";
        co_return Verdict(std::move(account));
    }
    Task<Result<Credentials>> credentials(CredentialQuery, LoginOrigin) override {
        co_return std::unexpected(Error{ErrorKind::not_found, 0, "look up"});
    }
};

/// Two messages in CRLF, of 3 and of 40 kB; gone at the end.
class Mail {
public:
    Mail() {
        char name[] = "/tmp/restante-command.XXXXXX";
        REQUIRE(::mkdtemp(name) != nullptr);
        root_ = name;
        for (const char* part : {"new", "cur", "tmp"})
            std::filesystem::create_directories(root_ / "mrose" / part);
        for (const std::size_t octets : {3'000, 40'000}) {
            std::string text = "Subject: x\r\n\r\n";
            while (text.size() < octets) text += "A line of some length, of a message.\r\n";
            std::ofstream(root_ / "mrose/new" / std::to_string(octets), std::ios::binary) << text;
        }
        options_ =
            StoreOptions{*MaildropPath::parse((root_ / "{user}").string()), UniqueIdPolicy(), true};
    }
    Mail(const Mail&) = delete;
    Mail& operator=(const Mail&) = delete;
    ~Mail() { std::filesystem::remove_all(root_); }
    const StoreOptions& options() const { return *options_; }

private:
    std::filesystem::path root_;
    std::optional<StoreOptions> options_;
};

/// A reactor on the real ring, turned by the test.
class Server {
public:
    /// `mail`: what users have; nullptr: nothing.
    explicit Server(const Mail* mail = nullptr) {
        if (mail != nullptr) {
            store_ = std::make_unique<MaildirStore>(*ring_, log_, buffers_, mail->options());
        }
        policy_.sasl.allow_cleartext = true;
        policy_.login_timeout = policy_.idle_timeout = std::chrono::minutes(10);
        std::vector<Fd> sockets = *make_listeners(*SocketAddress::parse("127.0.0.1:0"), 1);
        address_ = local_address(sockets[0].get());
        std::vector<ListeningSocket> listeners;
        listeners.push_back({Handle(*ring_, sockets[0].release())});
        const SessionService service{*ring_, verifier_, *store_, *delivery_, buffers_,
                                     log_,   policy_,   nullptr, throttle_,  sessions_};
        reactor_ = std::make_unique<Reactor>(service, log_, connections_, std::move(listeners),
                                             ReactorLimits{1000, 0, std::chrono::seconds(1)});
        reactor_->start();
    }
    ~Server() {
        reactor_->stop();
        reactor_->stop();
        while (!reactor_->is_finished()) turn();
    }
    Fd connect() {
        Fd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        REQUIRE(::connect(client.get(), address_.raw(), address_.octets()) == 0);
        return client;
    }
    /// Serves until `client` has got a line; the server waits then.
    void run_until_replied(const Fd& client) {
        char reply[512];
        while (::recv(client.get(), reply, sizeof reply, MSG_DONTWAIT) <= 0) turn();
    }
    void ask(const Fd& client, std::string_view command) {
        REQUIRE(::send(client.get(), command.data(), command.size(), 0) > 0);
        run_until_replied(client);
    }
    /// The same, where a multi-line response answers.
    void ask_at_length(const Fd& client, std::string_view command) {
        REQUIRE(::send(client.get(), command.data(), command.size(), 0) > 0);
        reply_.resize(reply_octets_max);
        std::size_t came = 0;
        while (!std::string_view(reply_).substr(0, came).ends_with("\r\n.\r\n")) {
            const ssize_t got =
                ::recv(client.get(), &reply_[came], reply_.size() - came, MSG_DONTWAIT);
            if (got > 0) came += static_cast<std::size_t>(got);
            if (got <= 0) turn();
        }
    }

private:
    static constexpr std::size_t reply_octets_max = 128 * 1024;

    void turn() {
        ring_->wake();
        ring_->turn();
        reactor_->after_turn();
    }

    std::string reply_;
    HelperPool helpers_{default_helper_sizes()};
    std::unique_ptr<Ring> ring_ = OnUring::make(helpers_);
    SocketAddress address_;
    WillingVerifier verifier_;
    BufferPool buffers_;
    ReactorLog log_{*ring_, 2, LogLevel::error, "restante"};
    std::unique_ptr<Store> store_ = std::make_unique<EmptyStore>();
    SessionPolicy policy_;
    Throttle throttle_{{}};
    Tally sessions_;
    Tally connections_;
    std::unique_ptr<Delivery> delivery_ =
        make_delivery(DeliveryStrategy::automatic, *ring_, buffers_);
    std::unique_ptr<Reactor> reactor_;
};

/// Octets of user space a connection, once each of them has given `commands`.
std::size_t octets_a_connection(const std::vector<std::string_view>& commands) {
    constexpr std::size_t connections = 64;
    Server server;
    std::vector<Fd> clients;
    const auto connect = [&](std::size_t count) {
        for (std::size_t i = 0; i < count; ++i) {
            clients.push_back(server.connect());
            server.run_until_replied(clients.back());
            for (const std::string_view command : commands) server.ask(clients.back(), command);
        }
    };
    clients.reserve(2 * connections);
    connect(connections);  // what is there once, and tables that grow by doubling
    Slab::give_back();
    const AllocationCount count;
    connect(connections);
    Slab::give_back();
    return static_cast<std::size_t>(count.octets()) / connections;
}

/// Blocks asked for by one `command`, in a session that has given it before.
double blocks_of(std::string_view command, bool at_length) {
    constexpr int times = 100;
    const Mail mail;
    Server server(&mail);
    const Fd client = server.connect();
    server.run_until_replied(client);
    for (const char* login : {"USER mrose\r\n", "PASS tanstaaf\r\n"}) server.ask(client, login);
    const auto give = [&] {
        if (at_length) return server.ask_at_length(client, command);
        server.ask(client, command);
    };
    for (int i = 0; i < 3; ++i) give();
    const AllocationCount count;
    for (int i = 0; i < times; ++i) give();
    return static_cast<double>(count.given()) / times;
}

}  // namespace

TEST_CASE("a connection that has not logged in costs 1 kB at most while it waits") {
    const std::size_t silent = octets_a_connection({});
    MESSAGE("greeted: ", silent, " octets");
    CHECK(silent <= 950);
    const std::size_t busy = octets_a_connection({"CAPA\r\n", "USER mrose\r\n"});
    MESSAGE("after USER: ", busy, " octets");
    CHECK(busy <= 950);
}

TEST_CASE("a session that has logged in costs 1.1 kB at most while it waits, its maildrop aside") {
    const std::size_t waiting = octets_a_connection({"USER mrose\r\n", "PASS tanstaaf\r\n"});
    MESSAGE("logged in: ", waiting, " octets");
    CHECK(waiting <= 1090);
    const std::size_t later =
        octets_a_connection({"USER mrose\r\n", "PASS tanstaaf\r\n", "UIDL\r\n", "STAT\r\n"});
    MESSAGE("after UIDL and STAT: ", later, " octets");
    CHECK(later <= 1090);
}

TEST_CASE("no command asks for memory" * doctest::skip(Slab::kept_max == 0)) {
    for (const std::string_view command :
         {"NOOP\r\n", "STAT\r\n", "LIST 1\r\n", "UIDL 1\r\n", "RSET\r\n"}) {
        CAPTURE(command);
        CHECK(blocks_of(command, false) == 0);
    }
}

TEST_CASE("nor does DELE, but the first of a session" * doctest::skip(Slab::kept_max == 0)) {
    const Mail mail;
    Server server(&mail);
    const Fd client = server.connect();
    server.run_until_replied(client);
    for (const char* command : {"USER mrose\r\n", "PASS tanstaaf\r\n", "STAT\r\n", "DELE 1\r\n"})
        server.ask(client, command);
    const AllocationCount count;
    server.ask(client, "DELE 2\r\n");
    CHECK(count.given() == 0);
}

TEST_CASE("neither does one that is answered at length" * doctest::skip(Slab::kept_max == 0)) {
    for (const std::string_view command :
         {"RETR 1\r\n", "RETR 2\r\n", "TOP 1 5\r\n", "LIST\r\n", "UIDL\r\n"}) {
        CAPTURE(command);
        CHECK(blocks_of(command, true) == 0);
    }
}

}  // namespace restante
