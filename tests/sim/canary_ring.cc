// Bugs between a server and its kernel.
#include <cctype>
#include <cerrno>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "passing_ring.h"
#include "sim/canary.h"

namespace restante::sim {
namespace {

/// Each bug shows at one of so many chances.
constexpr std::uint64_t rarity = 16;

class CanaryRing final : public PassingRing {
public:
    CanaryRing(SimRing& ring, Canary canary) : PassingRing(ring), canary_(canary) {}

    bool attempt(Operation& operation) override {
        if (is_answered_wrongly(operation)) return true;
        spoil(operation);
        if (!inner().attempt(operation)) return false;
        spoil_answer(operation);
        return true;
    }
    void submit(Operation& operation) override {
        if (is_of_answers()) {
            Waiting& waiting = waiting_[&operation];
            waiting = {this, operation.on_complete, operation.context};
            operation.on_complete = complete;
            operation.context = &waiting;
        }
        inner().submit(operation);
    }
    void close(int fd) override {
        const bool is_file = files_.erase(fd) > 0;
        if (canary_ == Canary::leaks_descriptor && is_file && is_due()) return;
        losing_.erase(fd);
        silent_.erase(fd);
        has_said_noop_.erase(fd);
        inner().close(fd);
    }

private:
    /// Whose completion goes past here.
    struct Waiting {
        CanaryRing* ring;
        void (*on_complete)(Operation&);
        void* context;
    };

    static void complete(Operation& operation) {
        const Waiting waiting = *static_cast<Waiting*>(operation.context);
        waiting.ring->waiting_.erase(&operation);
        waiting.ring->spoil_answer(operation);
        operation.on_complete = waiting.on_complete;
        operation.context = waiting.context;
        operation.on_complete(operation);
    }

    /// Then every completion is looked at.
    bool is_of_answers() const {
        switch (canary_) {
            case Canary::quits_early:
            case Canary::flips_octet:
            case Canary::swallows_injection:
            case Canary::syncs_own_only:
            case Canary::doubles_noop:
            case Canary::leaks_descriptor: return true;
            default: return false;
        }
    }

    bool is_due() { return random_.below(rarity) == 0; }

    /// Nothing was done, and the answer is that all is well.
    bool is_answered_wrongly(Operation& operation) {
        const Request::Kind kind = operation.request.kind;
        const bool is_sync = kind == Request::Kind::sync && canary_ == Canary::forgets_sync;
        const bool is_lock = kind == Request::Kind::lock && canary_ == Canary::ignores_lock;
        const bool is_others = kind == Request::Kind::sync && canary_ == Canary::syncs_own_only &&
                               !losing_.contains(operation.request.fd);
        if (is_sync || is_lock || is_others) operation.result = 0;
        return is_sync || is_lock || is_others || is_missed_list(operation);
    }

    bool is_missed_list(Operation& operation) const {
        const Request::Kind kind = operation.request.kind;
        const bool is_named = kind == Request::Kind::open || kind == Request::Kind::status_at;
        if (!is_named || canary_ != Canary::ignores_lists) return false;
        const std::string_view name = operation.request.name;
        if (name != "dovecot-uidlist" && name != "courierpop3dsizelist") return false;
        operation.result = -ENOENT;
        return true;
    }

    void spoil(Operation& operation) {
        const Request& request = operation.request;
        const bool is_reply =
            request.kind == Request::Kind::send || request.kind == Request::Kind::exchange;
        if (is_reply && !request.source.empty() && is_due()) {
            // The ring goes on after what it takes for sent.
            if (canary_ == Canary::drops_reply) operation.progress = request.source.size();
            if (canary_ == Canary::loses_octet) operation.progress = 1;
        }
        if (request.kind == Request::Kind::lock && is_due()) abandon();
        if (canary_ == Canary::falls_silent) fall_silent(operation);
        if (canary_ == Canary::doubles_noop && request.kind == Request::Kind::exchange)
            double_noop(request);
    }

    /// From some reply on: what it takes for sent goes nowhere.
    void fall_silent(Operation& operation) {
        const Request& request = operation.request;
        const bool is_reply = request.kind == Request::Kind::exchange && !request.source.empty();
        if (is_reply && is_due()) silent_.insert(request.fd);
        if (!silent_.contains(request.fd)) return;
        if (is_reply || request.kind == Request::Kind::send)
            operation.progress = request.source.size();
        if (request.kind == Request::Kind::send_file) operation.progress = request.octets;
    }

    void double_noop(const Request& request) {
        static constexpr std::string_view reply = "+OK\r\n";
        const std::string_view said(request.source.data(), request.source.size());
        if (said != reply || has_said_noop_.erase(request.fd) == 0) return;
        Operation another(Request::send(request.fd, reply, false));
        inner().attempt(another);
    }

    void abandon() {
        const bool leaves = canary_ == Canary::leaves_operation;
        if (!leaves && canary_ != Canary::destroys_operation) return;
        auto* operation = new Operation(Request::sleep());
        operation->on_complete = [](Operation&) {};
        inner().submit(*operation);
        if (!leaves) delete operation;
    }

    void note_removals(std::span<const Removal> removals) {
        for (const Removal& removal : removals) {
            if (removal.result == 0) losing_.insert(removal.directory);
        }
    }

    void spoil_answer(Operation& operation) {
        const Request::Kind kind = operation.request.kind;
        if (kind == Request::Kind::remove) note_removals(operation.request.removals);
        if (operation.result <= 0) return;
        if (kind == Request::Kind::open) files_.insert(static_cast<int>(operation.result));
        if (canary_ == Canary::flips_octet && kind == Request::Kind::read && is_due()) {
            char& octet = operation.request.target.front();
            if (std::isalpha(static_cast<unsigned char>(octet))) octet ^= 0x20;
        }
        const bool is_receive = kind == Request::Kind::receive || kind == Request::Kind::exchange;
        if (!is_receive) return;
        line_.assign(operation.received().data(), operation.received().size());
        if (line_ == "NOOP\r\n") has_said_noop_.insert(operation.request.fd);
        if (canary_ == Canary::quits_early && line_.ends_with("QUIT")) {
            line_ += "\r\n";
        } else if (canary_ == Canary::swallows_injection && line_.starts_with("STLS\r\n")) {
            line_.resize(line_.find('\n') + 1);
        } else {
            return;
        }
        operation.received_first = line_.data();
        operation.result = static_cast<std::int64_t>(line_.size());
    }

    const Canary canary_;
    SimRandom random_{1};
    std::string line_;
    std::map<Operation*, Waiting> waiting_;
    std::set<int> files_;          // that were opened by name
    std::set<int> losing_;         // folders that it has removed something from
    std::set<int> silent_;         // connections
    std::set<int> has_said_noop_;  // likewise: it was the last thing
};

}  // namespace

std::unique_ptr<Ring> make_canary_ring(SimRing& ring, Canary canary) {
    return std::make_unique<CanaryRing>(ring, canary);
}

}  // namespace restante::sim
