// Whole sessions over the simulator, whatever a client sends and whenever it stops:
// - the server's octets are whole replies, and messages are sent as they are stored, or not ended;
// - only messages that a DELE named before a QUIT are removed, and nothing else changes;
// - the same octets one at a time get the same replies (where nothing random is in them);
// - log lines are one printable line each; at the end no operation, descriptor or buffer is left.
// Input: octets for the seed, the delivery strategy and the moods, then the script
// (session_script.h).
#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "base/assert.h"
#include "fuzz/input.h"
#include "fuzz/session_script.h"
#include "fuzz/target.h"
#include "sim/world.h"

namespace restante::fuzz {
namespace {

using sim::Client;
using sim::World;

constexpr std::string_view user = "mrose";
constexpr std::string_view password = "secret";
// Not a divisor of any time limit: what happens at one moment happens in either order.
constexpr Duration waited = std::chrono::milliseconds(9'731);
constexpr std::size_t connections_max = 6;

const std::vector<std::string>& messages() {
    static const std::vector<std::string> all = {
        "Subject: one\n\nLF lines\n.\n..two\nno end",
        "Subject: two\r\n\r\nready for the wire\r\n",
        "",
        "Subject: four\r\n\r\n.\r\n" + std::string(3000, 'x') + "\r\n",
    };
    return all;
}

std::string file_of(std::size_t index) {
    return std::to_string(1'000'000'001 + index) + ".M1P1.fuzz" + (index == 1 ? ":2,S" : "");
}

struct Mood {
    std::uint64_t seed;
    std::string_view strategy;
    bool is_random;  ///< APOP and challenge mechanisms: what the server says differs by run
    bool loses;      ///< connections are reset, files cannot be read
};

sim::SimOptions options_of(const Mood& mood, bool octet_by_octet) {
    sim::SimOptions options{.seed = mood.seed, .octet_by_octet = octet_by_octet};
    if (mood.loses) options.reset_probability = options.file_error_probability = 0.02;
    return options;
}

sim::WorldSettings settings_of(const Mood& mood) {
    sim::WorldSettings settings = sim::delivered_by(mood.strategy);
    if (!mood.is_random) {
        // Else what has been answered at a given moment depends on microseconds.
        settings.emplace_back("limits.failed_delay", "\"0s\"");
        return settings;
    }
    settings.emplace_back("pop3.apop", "true");
    settings.emplace_back("auth.mechanisms",
                          "[\"PLAIN\", \"LOGIN\", \"SCRAM-SHA-256\", \"SCRAM-SHA-1\", "
                          "\"DIGEST-MD5\", \"CRAM-MD5\", \"XOAUTH2\", \"OAUTHBEARER\"]");
    return settings;
}

/// One run of a script.
class Run {
public:
    Run(const Mood& mood, bool octet_by_octet)
        : mood_(mood), world_(options_of(mood, octet_by_octet), settings_of(mood)) {
        world_.add_user(user, password);
        for (std::size_t i = 0; i < messages().size(); ++i) {
            world_.deliver(user, file_of(i), messages()[i]);
        }
        world_.wait(std::chrono::seconds(1));
        connect();
    }

    void play(const std::vector<SessionStep>& steps) {
        for (const SessionStep& step : steps) {
            if (!was_cut_.back()) {
                clients_.back().send(step.octets);
                removals_.take_octets(step.octets);
            }
            if (step.has_event) happen(step.event);
        }
        happen(SessionEvent::wait);
        if (!was_cut_.back()) clients_.back().close();
        world_.wait(waited);
    }
    void check() {
        for (std::size_t i = 0; i < clients_.size(); ++i) {
            const std::string fault =
                fault_of_replies(clients_[i].received(), messages(), was_cut_[i] || mood_.loses);
            if (!fault.empty()) std::fprintf(stderr, "connection %zu: %s\n", i, fault.c_str());
            ASSERT(fault.empty());
        }
        check_left();
        for (const char octet : world_.log()) {
            ASSERT((octet >= ' ' && octet <= '~') || octet == '\n');
        }
    }
    const std::string& received() const { return clients_.front().received(); }

private:
    void connect() {
        removals_.end_connection();
        clients_.push_back(world_.connect());
        was_cut_.push_back(false);
        world_.settle();
    }

    void happen(SessionEvent event) {
        switch (event) {
            case SessionEvent::reply: return world_.wait(std::chrono::milliseconds(37));
            case SessionEvent::wait: return world_.wait(waited);
            case SessionEvent::flag: return flag();
            case SessionEvent::remove: return remove();
            case SessionEvent::connect:
                if (clients_.size() < connections_max) connect();
                return;
            default: cut(event);
        }
    }
    void cut(SessionEvent event) {
        if (was_cut_.back()) return;
        was_cut_.back() = true;
        Client& client = clients_.back();
        if (event == SessionEvent::finish) client.finish();
        if (event == SessionEvent::close) client.close();
        if (event == SessionEvent::reset) client.reset();
    }

    static std::string folder(const char* name) { return World::maildrop(user) + '/' + name + '/'; }
    void flag() {
        if (!world_.files().exists(folder("new") + file_of(0))) return;
        world_.files().rename(folder("new") + file_of(0), folder("cur") + file_of(0) + ":2,S");
    }
    void remove() {
        const std::string path = folder("new") + file_of(3);
        if (!world_.files().exists(path)) return;
        world_.files().unlink(path);
        was_removed_outside_ = true;
    }

    void check_left() {
        const std::vector<std::string> left = world_.messages(user);
        const std::vector<std::uint32_t>& possible = removals_.possible();
        const std::size_t outside = was_removed_outside_ ? 1 : 0;
        ASSERT(left.size() <= messages().size());
        ASSERT(messages().size() - left.size() <= possible.size() + outside);
        if (clients_.size() > 1) return;  // numbers mean other messages in later sessions
        for (std::size_t i = 0; i < messages().size(); ++i) {
            const std::string file = file_of(i);
            const bool is_there =
                std::ranges::find(left, file.substr(0, file.find(':'))) != left.end();
            const bool may_be_gone = std::ranges::find(possible, i + 1) != possible.end();
            ASSERT(is_there || may_be_gone || (was_removed_outside_ && i == 3));
        }
    }

    const Mood mood_;
    World world_;
    std::vector<Client> clients_;
    std::vector<bool> was_cut_;
    Removals removals_;
    bool was_removed_outside_ = false;
};

}  // namespace

void fuzz_session(std::string_view input) {
    Input parts(input);
    const std::uint64_t seed = parts.octet();
    const std::uint8_t chosen = parts.octet();
    const std::uint8_t moods = parts.octet();
    const Mood mood{seed, sim::delivery_strategies[chosen % sim::delivery_strategies.size()],
                    (moods & 1U) != 0, (moods & 2U) != 0};
    const std::vector<SessionStep> steps = session_steps(parts.rest());
    Run whole(mood, false);
    whole.play(steps);
    whole.check();
    if (mood.is_random || mood.loses || !is_undisturbed(steps)) return;
    Run in_octets(mood, true);
    in_octets.play(steps);
    in_octets.check();
    if (whole.received() == in_octets.received()) return;
    std::fprintf(stderr, "whole:\n%s\nan octet at a time:\n%s\n", whole.received().c_str(),
                 in_octets.received().c_str());
    ASSERT(!"the replies depend on how the octets come");
}

}  // namespace restante::fuzz
