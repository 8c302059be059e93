#pragma once
/// A whole server in the simulator: the real reactor, sessions and store; the network, the disk,
/// the clock and the user database are simulated.

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "auth/login_verifier.h"
#include "auth/verifier.h"
#include "maildir/maildir_store.h"
#include "server/config.h"
#include "server/config_schema.h"
#include "server/reactor.h"
#include "sim/sim_ring.h"

namespace restante::sim {

inline constexpr std::string_view mail_root = "/var/vmail";

/// Lower-case hex of the MD5, for APOP.
std::string md5_hex(std::string_view octets);

/// Users and their secrets. Its answer takes a turn of the ring, and a password a helper.
class SimVerifier final : public Verifier {
public:
    explicit SimVerifier(Ring& ring) : ring_(ring) {}
    void add(std::string_view user, std::string_view password) {
        secrets_[std::string(user)] = password;
    }
    Task<Result<Verdict>> verify(Proof proof, LoginOrigin origin) override;
    Task<Result<Credentials>> credentials(CredentialQuery query, LoginOrigin origin) override;

private:
    Ring& ring_;
    std::map<std::string, std::string, std::less<>> secrets_;
};

/// Values of the configuration over defaults that suit tests: {"pop3.apop", "true"}.
using WorldSettings = std::vector<std::pair<std::string, std::string>>;

/// What `delivery.strategy` may be.
inline const std::vector<std::string_view> delivery_strategies =
    split_choices(find_key("delivery", "strategy")->choices);
/// One of them as a setting.
inline WorldSettings delivered_by(std::string_view strategy) {
    return {{"delivery.strategy", '"' + std::string(strategy) + '"'}};
}

class World;

/// Where a test comes between a server and what it works with; each may be empty.
struct Seams {
    /// Each has a store of its own; they take turns at new connections.
    std::size_t reactors = 1;
    /// Outlive the World. STLS is offered then, and TLS from the first octet on at another address.
    const TlsCertificates* certificates = nullptr;
    std::function<std::unique_ptr<Ring>(SimRing&)> ring;
    std::function<std::unique_ptr<Store>(World&, std::unique_ptr<Store>)> store;
    std::function<std::unique_ptr<Delivery>(World&, std::unique_ptr<Delivery>)> delivery;
    std::function<std::unique_ptr<Verifier>(World&, Verifier&)> verifier;
};

/// A user database of a test's own.
using VerifierMaker = std::function<std::unique_ptr<Verifier>(SimRing&, Throttle&)>;

class World {
public:
    explicit World(const SimOptions& options, const WorldSettings& settings = {},
                   const VerifierMaker& make_verifier = nullptr, Seams seams = {});
    /// Stops the server, lets it end, and asserts that no operation and no descriptor is left.
    ~World();

    SimRing& ring() { return ring_; }
    /// What the server takes for its ring.
    Ring& servers_ring() { return *server_ring_; }
    BufferPool& buffers() { return *branches_.front()->buffers; }
    SimFileSystem& files() { return ring_.files(); }
    void add_user(std::string_view user, std::string_view password) {
        verifier_.add(user, password);
    }
    static std::string maildrop(std::string_view user) {
        return std::string(mail_root) + "/" + std::string(user);
    }
    /// Into new/, or, where the name has flags, cur/.
    void deliver(std::string_view user, std::string_view file_name, std::string_view octets);
    /// Names in new/ and cur/, sorted, without flags.
    std::vector<std::string> messages(std::string_view user);

    Client connect(std::string_view peer = "198.51.100.7:40000");
    /// Likewise, to where TLS comes first.
    Client connect_to_tls(std::string_view peer);
    /// Runs until nothing more happens without time passing.
    void settle();
    /// Lets time pass, deadlines and all.
    void wait(Duration duration);
    /// Until `client` has received `text` at the end, or was closed.
    void run_until_replied(Client& client, std::string_view end);
    /// What the server has logged.
    const std::string& log();

    /// The power fails and returns (or SimRing::kill() was called): a new server on what the disk
    /// kept.
    void restart_after_power_cut();
    /// The server ends as it should, and starts again.
    void restart();
    /// Lent now.
    std::size_t buffers_lent() const;
    /// In flight while no session is: the acceptance of each reactor's next one.
    std::size_t idle_operations() const { return seams_.reactors * listeners_a_reactor(); }
    /// Likewise open: the listeners', and the logs'.
    std::size_t idle_descriptors() const { return seams_.reactors * (1 + listeners_a_reactor()); }

private:
    /// What each reactor has for itself.
    struct Branch {
        int log_sink = -1;
        int listener = -1;
        int tls_listener = -1;  // where there are certificates
        std::unique_ptr<BufferPool> buffers;
        std::unique_ptr<ReactorLog> log;
        std::unique_ptr<Store> store;
        std::unique_ptr<Delivery> delivery;
        std::unique_ptr<Reactor> reactor;
    };

    void start_server();
    std::unique_ptr<Branch> make_branch();
    std::vector<ListeningSocket> make_listeners(Branch& branch);
    std::size_t listeners_a_reactor() const { return seams_.certificates == nullptr ? 1 : 2; }
    const Branch& next_branch() { return *branches_[connections_made_++ % branches_.size()]; }
    void after_turn();
    bool is_finished() const;
    Verifier& users();
    void stop_server();

    const Seams seams_;
    SimRing ring_;
    const std::unique_ptr<Ring> own_ring_;  // in front of ring_
    Ring* const server_ring_;
    Config config_;
    SimVerifier verifier_;
    SessionPolicy policy_;
    Throttle throttle_;
    Tally user_sessions_;
    Tally address_connections_;
    std::unique_ptr<Verifier> own_verifier_;   // instead of verifier_
    std::unique_ptr<Verifier> seam_verifier_;  // in front of it
    LoginVerifier login_;
    StoreOptions store_options_;
    std::vector<std::unique_ptr<Branch>> branches_;
    std::size_t connections_made_ = 0;
    std::string log_;  // of all reactors
};

}  // namespace restante::sim
