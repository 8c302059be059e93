#pragma once
/// A whole server in the simulator: the real reactor, sessions and store; the network, the disk,
/// the clock and the user database are simulated.

#include <array>
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
#include "server/reactor.h"
#include "sim/sim_ring.h"

namespace restante::sim {

inline constexpr std::string_view mail_root = "/var/vmail";

/// Lower-case hex of the MD5, for APOP.
std::string md5_hex(std::string_view octets);

/// Users and their secrets. Its answer takes a turn of the ring.
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
inline constexpr std::array<std::string_view, 7> delivery_strategies = {
    "auto", "copy", "sendfile", "splice", "mmap", "mmap_zerocopy", "uring_splice"};
/// One of them as a setting.
inline WorldSettings delivered_by(std::string_view strategy) {
    return {{"delivery.strategy", '"' + std::string(strategy) + '"'}};
}

/// A user database of a test's own.
using VerifierMaker = std::function<std::unique_ptr<Verifier>(SimRing&, Throttle&)>;

class World {
public:
    explicit World(const SimOptions& options, const WorldSettings& settings = {},
                   const VerifierMaker& make_verifier = nullptr);
    /// Stops the server, lets it end, and asserts that no operation and no descriptor is left.
    ~World();

    SimRing& ring() { return ring_; }
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
    /// Runs until nothing more happens without time passing.
    void settle();
    /// Lets time pass, deadlines and all.
    void wait(Duration duration);
    /// Until `client` has received `text` at the end, or was closed.
    void run_until_replied(Client& client, std::string_view end);
    /// What the server has logged.
    const std::string& log() { return ring_.written(log_sink_); }

    /// The power fails and returns (or SimRing::kill() was called): a new server on what the disk
    /// kept.
    void restart_after_power_cut();
    /// The server ends as it should, and starts again.
    void restart();
    /// Lent now.
    std::size_t buffers_lent() const { return buffers_->lent(); }

private:
    void start_server();
    void stop_server();

    SimRing ring_;
    Config config_;
    SimVerifier verifier_;
    SessionPolicy policy_;
    Throttle throttle_;
    Tally user_sessions_;
    Tally address_connections_;
    std::unique_ptr<Verifier> own_verifier_;  // instead of verifier_
    LoginVerifier login_;
    StoreOptions store_options_;
    int log_sink_ = -1;
    int listener_ = -1;
    std::unique_ptr<BufferPool> buffers_;
    std::unique_ptr<ReactorLog> log_;
    std::unique_ptr<MaildirStore> store_;
    std::unique_ptr<Delivery> delivery_;
    std::unique_ptr<Reactor> reactor_;
};

}  // namespace restante::sim
