#include "sim/account_ring.h"

#include <unistd.h>

#include <utility>

#include "ring/blocking_calls.h"

namespace restante::sim {
namespace {

bool is_hash(const Operation& operation) {
    return operation.request.kind == Request::Kind::offload &&
           operation.request.helper == HelperKind::hashing;
}

}  // namespace

/// One hash under way, and the time that it takes.
struct AccountRing::Helper {
    Helper(AccountRing& of, Operation& asked)
        : owner(of), hash(asked), sleep(Request::sleep().until(of.now() + of.hash_time_)) {}
    AccountRing& owner;
    Operation& hash;
    Operation sleep;
};

AccountRing::AccountRing(SimRing& ring, std::size_t helpers, Duration hash_time)
    : PassingRing(ring), free_(helpers), hash_time_(hash_time) {}

AccountRing::~AccountRing() {
    ASSERT(waiting_.empty());
    ASSERT(busy_.empty());
}

bool AccountRing::attempt(Operation& operation) {
    if (is_hash(operation)) return false;
    if (operation.request.kind == Request::Kind::sleep) return inner().attempt(operation);
    operation.result = carry_out(operation.request);
    return true;
}

void AccountRing::submit(Operation& operation) {
    if (!is_hash(operation)) return inner().submit(operation);
    operation.in_flight = true;
    if (free_ == 0) return waiting_.push_back(&operation);
    --free_;
    begin(operation);
}

void AccountRing::cancel(Operation& operation) {
    if (!is_hash(operation)) inner().cancel(operation);
}

void AccountRing::close(int fd) { ::close(fd); }

void AccountRing::begin(Operation& operation) {
    Helper& helper = *busy_.emplace_back(std::make_unique<Helper>(*this, operation));
    helper.sleep.context = &helper;
    helper.sleep.on_complete = [](Operation& sleep) {
        auto& ended = *static_cast<Helper*>(sleep.context);
        ended.owner.finish(ended);
    };
    inner().submit(helper.sleep);
}

void AccountRing::finish(Helper& helper) {
    Operation& hash = helper.hash;
    std::erase_if(busy_, [&helper](const auto& busy) { return busy.get() == &helper; });
    ++free_;
    if (!waiting_.empty()) {
        --free_;
        begin(*std::exchange(waiting_.front(), nullptr));
        waiting_.pop_front();
    }
    hash.request.work->run();
    ++hashed_;
    hash.result = 0;
    hash.in_flight = false;
    hash.on_complete(hash);
}

}  // namespace restante::sim
