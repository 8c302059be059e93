// Bugs between a server and its kernel.
#include <cctype>
#include <cerrno>
#include <map>
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
        const bool is_own = canary_ == Canary::quits_early || canary_ == Canary::flips_octet ||
                            canary_ == Canary::swallows_injection;
        if (is_own) {
            Waiting& waiting = waiting_[&operation];
            waiting = {this, operation.on_complete, operation.context};
            operation.on_complete = complete;
            operation.context = &waiting;
        }
        inner().submit(operation);
    }
    void close(int fd) override {
        if (canary_ == Canary::leaks_descriptor && is_due()) return;
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

    bool is_due() { return random_.below(rarity) == 0; }

    /// Nothing was done, and the answer is that all is well.
    bool is_answered_wrongly(Operation& operation) {
        const Request::Kind kind = operation.request.kind;
        const bool is_sync = kind == Request::Kind::sync && canary_ == Canary::forgets_sync;
        const bool is_lock = kind == Request::Kind::lock && canary_ == Canary::ignores_lock;
        if (is_sync || is_lock) operation.result = 0;
        return is_sync || is_lock || is_missed_list(operation);
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
    }

    void abandon() {
        const bool leaves = canary_ == Canary::leaves_operation;
        if (!leaves && canary_ != Canary::destroys_operation) return;
        auto* operation = new Operation(Request::sleep());
        operation->on_complete = [](Operation&) {};
        inner().submit(*operation);
        if (!leaves) delete operation;
    }

    void spoil_answer(Operation& operation) {
        if (operation.result <= 0) return;
        const Request::Kind kind = operation.request.kind;
        if (canary_ == Canary::flips_octet && kind == Request::Kind::read && is_due()) {
            char& octet = operation.request.target.front();
            if (std::isalpha(static_cast<unsigned char>(octet))) octet ^= 0x20;
        }
        const bool is_receive = kind == Request::Kind::receive || kind == Request::Kind::exchange;
        if (!is_receive) return;
        line_.assign(operation.received().data(), operation.received().size());
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
};

}  // namespace

std::unique_ptr<Ring> make_canary_ring(SimRing& ring, Canary canary) {
    return std::make_unique<CanaryRing>(ring, canary);
}

}  // namespace restante::sim
