// Bugs on a message's way to the wire.
#include <algorithm>
#include <string>

#include "sim/canary.h"
#include "sim/wire_reply.h"

namespace restante::sim {
namespace {

constexpr std::uint64_t rarity = 8;

std::string stuffed(const std::string& text) {
    std::string stuffed;
    char before = '\n';
    for (const char octet : text) {
        if (octet == '.' && before == '\n') stuffed += '.';
        stuffed += octet;
        before = octet;
    }
    return stuffed;
}

class CanaryDelivery final : public Delivery {
public:
    CanaryDelivery(World& world, std::unique_ptr<Delivery> inner, Canary canary)
        : world_(world), inner_(std::move(inner)), canary_(canary) {}

    Task<Result<void>> deliver(MessageSource& source, pop3::BodyLines body,
                               WireSink& sink) override {
        if (canary_ == Canary::top_too_long) body = pop3::BodyLines::all();
        const bool is_due = ++delivered_ % rarity == 0 && body.is_all();
        if (is_due) leak();
        Result<void> done;
        if (is_due && is_own()) {
            done = co_await deliver_wrongly(source, sink);
            co_return done;
        }
        done = co_await inner_->deliver(source, body, sink);
        if (done && is_due && canary_ == Canary::doubles_reply) sink.write("+OK\r\n");
        co_return done;
    }

private:
    bool is_own() const {
        return canary_ >= Canary::stuffs_nothing && canary_ <= Canary::no_termination;
    }

    void leak() const {
        if (canary_ == Canary::leaks_buffer) new Buffer(world_.buffers().acquire());
        if (canary_ == Canary::leaks_memory) new std::string(100, 'x');
    }

    std::string wrong_text(const std::string& stored) const {
        const std::string whole = wire_form(stored);
        switch (canary_) {
            case Canary::stuffs_nothing: return whole + ".\r\n";
            case Canary::bare_line_ends: return stuffed(stored) + "\n.\r\n";
            case Canary::cuts_short:
                return stuffed(wire_form(stored.substr(0, stored.size() / 2))) + ".\r\n";
            default: return stuffed(whole);
        }
    }

    Task<Result<void>> deliver_wrongly(MessageSource& source, WireSink& sink) {
        std::string stored(source.measure().stored_octets, '\0');
        const std::int64_t got =
            co_await perform(world_.servers_ring(), source.read(0, std::span<char>(stored)));
        stored.resize(static_cast<std::size_t>(std::max<std::int64_t>(got, 0)));
        const std::string text = wrong_text(stored);
        for (std::size_t at = 0; at < text.size();) {
            const std::span<char> room = sink.room();
            const std::size_t octets = std::min(room.size(), text.size() - at);
            std::copy_n(text.begin() + static_cast<std::ptrdiff_t>(at), octets, room.begin());
            sink.wrote(octets);
            at += octets;
            const Result<void> flushed = co_await sink.flush();
            if (!flushed) co_return flushed;
        }
        co_return Result<void>();
    }

    World& world_;
    const std::unique_ptr<Delivery> inner_;
    const Canary canary_;
    std::uint64_t delivered_ = 0;
};

}  // namespace

std::unique_ptr<Delivery> make_canary_delivery(World& world, std::unique_ptr<Delivery> delivery,
                                               Canary canary) {
    return std::make_unique<CanaryDelivery>(world, std::move(delivery), canary);
}

}  // namespace restante::sim
