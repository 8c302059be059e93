// Many clients without manners, other programs at the same mail, a bad network, a bad disk, power
// cuts: what must hold all the same. RESTANTE_SIM_SEEDS: how many runs; RESTANTE_SIM_FIRST_SEED:
// from which seed; RESTANTE_SIM_SEED: that one only.
#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <list>

#include "sim/chaos_client.h"
#include "sim/mail_ledger.h"

namespace restante::sim {
namespace {

constexpr std::uint64_t seeds_default = 200;
constexpr int steps = 800;
constexpr std::size_t clients_max = 6;
constexpr std::size_t log_octets_shown = 3000;
/// Five failed logins on one connection are answered within it (30 seconds each).
constexpr Duration delays_max = std::chrono::seconds(160);
constexpr std::uint64_t never_again = ~std::uint64_t{0};
const std::vector<std::string> users = {"mrose", "elise", "jdoe"};

SimOptions options_of(std::uint64_t seed) {
    SimRandom random(seed * 31);
    SimOptions options{.seed = seed};
    options.octet_by_octet = random.chance(0.1);
    options.window_octets = random.coin() ? 16 * 1024 : 1 + random.below(2000);
    options.lock_by_file = random.chance(0.2);
    options.reuse_inodes = random.coin();
    if (random.coin()) options.reset_probability = 0.01;
    if (random.coin()) options.file_error_probability = 0.02;
    if (random.chance(0.3)) options.queue_full_probability = 0.05;
    return options;
}

bool has_faults(const SimOptions& options) {
    return options.reset_probability > 0 || options.file_error_probability > 0 ||
           options.queue_full_probability > 0;
}

class Chaos {
public:
    explicit Chaos(std::uint64_t seed)
        : options_(options_of(seed)), random_(seed), world_(options_), ledger_(world_) {
        for (const std::string& user : users) {
            world_.add_user(user, chaos_password);
            // A maildrop that does not exist yet cannot be locked, and has nothing to lose.
            for (std::uint64_t count = 1 + random_.below(6); count > 0; --count) deliver(user);
        }
        has_crashes_ = random_.chance(0.3);
    }

    /// What went wrong, "" = nothing.
    std::string run() {
        for (int step = 0; step < steps && ledger_.failure().empty(); ++step) {
            take_step();
            look();
        }
        if (ledger_.failure().empty()) come_to_an_end();
        if (ledger_.failure().empty()) return {};
        if (!world_.ring().has_crashed()) world_.wait(std::chrono::seconds(1));
        const std::string& log = world_.log();
        const std::size_t shown = std::min(log.size(), log_octets_shown);
        return ledger_.failure() + "\nthe server's log:\n" + log.substr(log.size() - shown);
    }

private:
    void take_step() {
        const std::uint64_t dice = random_.below(100);
        if (dice < 60) {
            for (ChaosClient& client : clients_) {
                if (random_.chance(0.3)) client.act();
            }
        } else if (dice < 72) {
            play_other_program();
        } else if (dice < 84 && clients_.size() < clients_max) {
            clients_.emplace_back(world_, ledger_, random_, some_user(),
                                  has_faults(options_) || has_crashes_);
        } else if (dice < 98) {
            world_.ring().run_for(std::chrono::microseconds(1 << random_.below(24)), 200);
        } else if (has_crashes_ && dice == 98) {
            world_.ring().crash_after(1 + random_.below(4));
        } else if (random_.chance(0.2)) {
            pass_much_time();
        }
        world_.ring().run_for(std::chrono::microseconds(60), random_.below(60));
    }

    void pass_much_time() {
        const bool restarts = random_.coin();
        for (ChaosClient& client : clients_) client.excuse();
        if (!restarts) return world_.wait(std::chrono::minutes(1 + random_.below(12)));
        look();
        world_.ring().crash_after(never_again);
        world_.restart();
        for (ChaosClient& client : clients_) client.read();
        for (ChaosClient& client : clients_) client.lose_server();
    }

    void play_other_program() {
        const std::string& user = some_user();
        const std::vector<std::string> present = ledger_.present(user);
        const std::uint64_t dice = random_.below(10);
        if (dice < 4 || present.empty()) return deliver(user);
        const std::string& base = present[random_.below(present.size())];
        if (dice < 5) return ledger_.remove(user, base);
        static const char* const flags[] = {"", "S", "RS", "FS"};
        ledger_.rename(user, base, flags[random_.below(4)]);
    }

    const std::string& some_user() { return users[random_.below(users.size())]; }

    void deliver(const std::string& user) {
        const std::string number = std::to_string(++delivered_);
        std::string base = std::to_string(1'130'000'000 + random_.below(1000)) + ".M" + number +
                           "P2.pop.example.org";
        switch (random_.below(6)) {
            case 0: base += ",S=" + number + ",W=9"; break;
            case 1: base += " spaces in it\n\xFF"; break;
            case 2: base += std::string(255 - base.size() - 5, 'x'); break;
            default: break;
        }
        ledger_.deliver(user, base, some_octets("From: " + number + "\n"));
    }

    std::string some_octets(std::string octets) {
        if (random_.chance(0.05)) return {};
        static const std::string pieces[] = {
            "\n",  "\r\n", ".", "\n.\n", "\r", "words in a line", "\n\n", std::string(1, '\0'),
            "\xFE"};
        std::uint64_t count = random_.below(40);
        if (random_.chance(0.05)) count = 4000 + random_.below(8000);
        for (; count > 0; --count) octets += pieces[random_.below(std::size(pieces))];
        return octets;
    }

    void look() {
        if (world_.ring().has_crashed()) {
            for (ChaosClient& client : clients_) client.excuse(), client.read();
            for (ChaosClient& client : clients_) client.lose_server();
            world_.restart_after_power_cut();
            ledger_.observe_after_crash();
        } else {
            ledger_.observe();
        }
        for (ChaosClient& client : clients_) client.read();
        clients_.remove_if([](const ChaosClient& client) { return client.is_over(); });
        for (const std::string& user : users) check_one_session(user);
    }

    void check_one_session(const std::string& user) {
        std::size_t holders = 0;
        for (const ChaosClient& client : clients_) {
            holders += client.user() == user && client.holds_maildrop();
        }
        if (holders > 1) ledger_.fail("the maildrop of " + user + " is open in two sessions");
    }

    /// Everybody sends and reads what is left, and is answered.
    void come_to_an_end() {
        world_.ring().crash_after(never_again);
        for (ChaosClient& client : clients_) client.behave();
        world_.wait(delays_max);
        look();
        for (ChaosClient& client : clients_) client.check_answered();
    }

    const SimOptions options_;
    SimRandom random_;
    World world_;
    MailLedger ledger_;
    std::list<ChaosClient> clients_;
    std::uint64_t delivered_ = 0;
    bool has_crashes_ = false;
};

/// Tells how to replay a run that ends in a failed ASSERT, where doctest tells nothing.
class ReplayNote {
public:
    explicit ReplayNote(std::uint64_t seed) {
        std::snprintf(text_, sizeof text_,
                      "replay: RESTANTE_SIM_SEED=%llu build/release/sim_tests -tc='chaos*'\n",
                      static_cast<unsigned long long>(seed));
        former_ = std::signal(SIGABRT, [](int) {
            [[maybe_unused]] const ssize_t written =
                ::write(STDERR_FILENO, text_, std::strlen(text_));
            std::signal(SIGABRT, former_);
            std::raise(SIGABRT);
        });
    }
    ~ReplayNote() { std::signal(SIGABRT, former_); }
    static const char* command() { return text_; }

private:
    static inline char text_[128];
    static inline void (*former_)(int) = SIG_DFL;
};

std::uint64_t number_of(const char* variable, std::uint64_t otherwise) {
    const char* text = std::getenv(variable);
    return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

}  // namespace

TEST_CASE("chaos: no unmarked message removed, one reply a command, exact octets, lasting ids") {
    std::uint64_t first = number_of("RESTANTE_SIM_FIRST_SEED", 1);
    std::uint64_t count = number_of("RESTANTE_SIM_SEEDS", seeds_default);
    if (std::getenv("RESTANTE_SIM_SEED") != nullptr) {
        first = number_of("RESTANTE_SIM_SEED", 1);
        count = 1;
    }
    for (std::uint64_t seed = first; seed < first + count; ++seed) {
        const ReplayNote note(seed);
        const std::string failure = Chaos(seed).run();
        REQUIRE_MESSAGE(failure.empty(), ReplayNote::command(), failure);
    }
}

}  // namespace restante::sim
