/// What a connection that waits costs in user space: 100,000 of them are to be affordable.

#include <doctest/doctest.h>
#include <sys/socket.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "allocation_count.h"
#include "maildir/delivery.h"
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

/// A reactor on the real ring, turned by the test.
class Server {
public:
    Server() {
        policy_.sasl.allow_cleartext = true;
        policy_.login_timeout = policy_.idle_timeout = std::chrono::minutes(10);
        std::vector<Fd> sockets = *make_listeners(*SocketAddress::parse("127.0.0.1:0"), 1);
        address_ = local_address(sockets[0].get());
        std::vector<ListeningSocket> listeners;
        listeners.push_back({Handle(*ring_, sockets[0].release())});
        const SessionService service{*ring_, verifier_, store_,  *delivery_, buffers_,
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

private:
    void turn() {
        ring_->wake();
        ring_->turn();
        reactor_->after_turn();
    }

    HelperPool helpers_{default_helper_sizes()};
    std::unique_ptr<Ring> ring_ = OnUring::make(helpers_);
    SocketAddress address_;
    WillingVerifier verifier_;
    EmptyStore store_;
    BufferPool buffers_;
    ReactorLog log_{*ring_, 2, LogLevel::error, "restante"};
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
    const AllocationCount count;
    connect(connections);
    return static_cast<std::size_t>(count.octets()) / connections;
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
    CHECK(waiting <= 1100);
    const std::size_t later =
        octets_a_connection({"USER mrose\r\n", "PASS tanstaaf\r\n", "UIDL\r\n", "STAT\r\n"});
    MESSAGE("after UIDL and STAT: ", later, " octets");
    CHECK(later <= 1100);
}

}  // namespace restante
