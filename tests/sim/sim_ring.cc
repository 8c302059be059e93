#include "sim/sim_ring.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/assert.h"

namespace restante::sim {
namespace {

constexpr Duration reboot_time = std::chrono::minutes(1);

/// Kinds that a deadline or a cancellation can end; others run to their end.
bool can_end_early(Request::Kind kind) {
    using Kind = Request::Kind;
    return kind == Kind::accept || kind == Kind::receive || kind == Kind::send ||
           kind == Kind::send_file || kind == Kind::exchange || kind == Kind::write ||
           kind == Kind::sleep;
}

bool is_on_descriptor(const Request& request, int fd) {
    using Kind = Request::Kind;
    if (request.kind == Kind::sleep || request.kind == Kind::offload) return false;
    if (request.kind != Kind::remove) return request.fd == fd || request.file == fd;
    return std::any_of(request.removals.begin(), request.removals.end(),
                       [fd](const Removal& removal) { return removal.directory == fd; });
}

std::int64_t end_after_crash(const Request& request) {
    using Kind = Request::Kind;
    if (request.kind == Kind::offload) return -EAGAIN;
    if (request.kind == Kind::remove) {
        for (Removal& removal : request.removals) removal.result = -EIO;
    }
    return can_end_early(request.kind) || request.kind == Kind::shutdown ? -ECANCELED : -EIO;
}

}  // namespace

SimRing::SimRing(const SimOptions& options)
    : options_(options),
      random_(options.seed),
      faults_(options_, random_),
      files_(clock_, {options.reuse_inodes, options.lazy_changes}),
      kernel_(options_, random_, faults_, files_) {}

SimRing::~SimRing() { ASSERT(in_flight_.empty()); }

bool SimRing::may_answer_inline(const Operation& operation) const {
    using Kind = Request::Kind;
    switch (operation.request.kind) {
        case Kind::accept:
        case Kind::receive: return kernel_.is_ready(operation);
        case Kind::send:
        case Kind::send_file: return kernel_.is_whole_send_ready(operation);
        case Kind::shutdown:
        case Kind::open:
        case Kind::status:
        case Kind::status_at:
        case Kind::read:
        case Kind::map:
        case Kind::lock: return true;
        default: return false;
    }
}

bool SimRing::attempt(Operation& operation) {
    ASSERT(!operation.in_flight);
    kernel_.forget_received();
    if (has_crashed() || options_.inline_answers == InlineAnswers::never) return false;
    if (!may_answer_inline(operation)) return false;
    if (options_.inline_answers == InlineAnswers::by_seed && random_.coin()) return false;
    std::int64_t result = kernel_.carry_out(operation);
    // What is in memory of a file is not all of it: the ring reads on.
    if (result == SimKernel::would_block && operation.request.kind == Request::Kind::read)
        return false;
    while (result == SimKernel::would_block) result = kernel_.carry_out(operation);
    operation.result = result;
    record(operation, ++numbers_given_);
    return true;
}

void SimRing::submit(Operation& operation) {
    ASSERT(!operation.in_flight);
    ASSERT(operation.on_complete != nullptr);
    operation.in_flight = true;
    in_flight_.push_back({&operation, ++numbers_given_, false, earliest_end()});
}

Instant SimRing::earliest_end() {
    if (!random_.chance(options_.late_probability)) return now();
    return now() + Duration(static_cast<Duration::rep>(
                       random_.below(static_cast<std::uint64_t>(options_.late_max.count()))));
}

void SimRing::calm() {
    options_.reset_probability = options_.file_error_probability = 0;
    options_.any_errno_probability = options_.queue_full_probability = 0;
    options_.late_probability = options_.short_file_probability = 0;
}

void SimRing::cancel(Operation& operation) {
    Entry* entry = find(operation);
    if (entry != nullptr) entry->cancelled = true;
}

void SimRing::close(int fd) {
    const bool is_busy = std::any_of(
        in_flight_.begin(), in_flight_.end(),
        [fd](const Entry& entry) { return is_on_descriptor(entry.operation->request, fd); });
    ASSERT(!is_busy);
    kernel_.close(fd);
}

void SimRing::fill_random(std::span<std::byte> target) {
    ASSERT(target.size() <= 256);
    for (std::byte& octet : target) octet = static_cast<std::byte>(random_.below(256));
}

void SimRing::turn() {
    if (has_crashed()) return;
    const bool woken = std::exchange(woken_, false);
    if (run_ready() || woken) return;
    const Instant next = next_deadline();
    if (next == never) return;
    clock_.advance_to(next);
    run_ready();
}

// Completions may submit, cancel and close, and destroy their own operation; what is submitted
// meanwhile has to wait for a later turn.
bool SimRing::run_ready() {
    std::vector<Operation*> ready;
    for (const Entry& entry : in_flight_) {
        if (is_ready(entry)) ready.push_back(entry.operation);
    }
    if (ready.empty()) return false;
    std::size_t count = ready.size();
    if (options_.shuffle) {
        for (std::size_t left = ready.size(); left > 1; --left) {
            std::swap(ready[left - 1], ready[random_.below(left)]);
        }
        count = static_cast<std::size_t>(1 + random_.below(ready.size()));
    }
    for (std::size_t i = 0; i < count && !has_crashed(); ++i) step(*ready[i]);
    return true;
}

void SimRing::step(Operation& operation) {
    const Entry* entry = find(operation);
    ASSERT(entry != nullptr);
    if (!is_ready(*entry)) return;  // an earlier completion of this turn has changed the world
    const std::int64_t result = outcome(*entry);
    if (result == SimKernel::would_block || has_crashed()) return;
    complete(operation, result);
}

// What ended early may still have come to its end in the last moment.
std::int64_t SimRing::outcome(const Entry& entry) {
    Operation& operation = *entry.operation;
    const bool cancelled = entry.cancelled && can_end_early(operation.request.kind);
    const bool ends_early = cancelled || is_expired(operation);
    std::int64_t result = SimKernel::would_block;
    if (!ends_early || (kernel_.is_ready(operation) && random_.coin())) {
        if (faults_.is_queue_full(operation.request.kind)) {
            return operation.request.kind == Request::Kind::offload ? -EAGAIN : -ENOBUFS;
        }
        result = kernel_.carry_out(operation);
    }
    if (result != SimKernel::would_block || !ends_early) return result;
    return cancelled ? -ECANCELED : -ETIMEDOUT;
}

void SimRing::complete(Operation& operation, std::int64_t result) {
    const auto entry = std::find_if(
        in_flight_.begin(), in_flight_.end(),
        [&operation](const Entry& candidate) { return candidate.operation == &operation; });
    ASSERT(entry != in_flight_.end());
    operation.result = result;
    operation.in_flight = false;
    operation.timed_out = result == -ETIMEDOUT;
    record(operation, entry->number);
    in_flight_.erase(entry);
    operation.on_complete(operation);
    kernel_.forget_received();
}

// FNV-1a.
void SimRing::record(const Operation& operation, std::uint64_t number) {
    ++operations_of_[static_cast<std::size_t>(operation.request.kind)];
    const auto time = static_cast<std::uint64_t>(now().time_since_epoch().count());
    for (const std::uint64_t fact : {static_cast<std::uint64_t>(operation.request.kind), number,
                                     time, static_cast<std::uint64_t>(operation.result)}) {
        for (int shift = 0; shift < 64; shift += 8) {
            trace_hash_ = (trace_hash_ ^ ((fact >> shift) & 0xFF)) * 1099511628211u;
        }
    }
}

SimRing::Entry* SimRing::find(const Operation& operation) {
    for (Entry& entry : in_flight_) {
        if (entry.operation == &operation) return &entry;
    }
    return nullptr;
}

bool SimRing::is_expired(const Operation& operation) const {
    return can_end_early(operation.request.kind) && operation.request.deadline <= now();
}

bool SimRing::is_ready(const Entry& entry) const {
    const Operation& operation = *entry.operation;
    if (now() < entry.earliest) return false;
    if (entry.cancelled && can_end_early(operation.request.kind)) return true;
    return is_expired(operation) || kernel_.is_ready(operation);
}

Instant SimRing::next_deadline() const {
    Instant next = never;
    for (const Entry& entry : in_flight_) {
        const Request& request = entry.operation->request;
        Instant end = never;
        if (can_end_early(request.kind)) end = request.deadline;
        if (now() < entry.earliest) end = entry.earliest;
        next = std::min(next, end);
    }
    return next;
}

std::string SimRing::describe_in_flight() const {
    std::string text;
    for (const Entry& entry : in_flight_)
        text += std::to_string(static_cast<int>(entry.operation->request.kind)) + ' ';
    return text;
}

bool SimRing::is_idle() const {
    const bool is_any_ready = std::any_of(in_flight_.begin(), in_flight_.end(),
                                          [this](const Entry& entry) { return is_ready(entry); });
    return !is_any_ready && next_deadline() == never;
}

bool SimRing::settle(std::size_t turns) {
    for (; turns > 0 && !has_crashed(); --turns) {
        if (!run_ready()) return true;
    }
    return false;
}

bool SimRing::run_until_idle(std::size_t turns) {
    for (; turns > 0 && !has_crashed(); --turns) {
        if (is_idle()) return true;
        turn();
    }
    return false;
}

bool SimRing::run_until(const std::function<bool()>& predicate, std::size_t turns) {
    for (; turns > 0 && !has_crashed(); --turns) {
        if (predicate()) return true;
        if (is_idle()) return false;
        turn();
    }
    return false;
}

bool SimRing::run_for(Duration duration, std::size_t turns) {
    const Instant end = now() + duration;
    for (; turns > 0 && !has_crashed(); --turns) {
        if (run_ready()) continue;
        const Instant next = next_deadline();
        clock_.advance_to(std::min(next, end));
        if (next > end) return true;
    }
    return false;
}

bool SimRing::drain_after_crash(std::size_t rounds) {
    ASSERT(has_crashed());
    for (; rounds > 0 && !in_flight_.empty(); --rounds) {
        const std::vector<Entry> ending = in_flight_;
        for (const Entry& entry : ending) {
            complete(*entry.operation, end_after_crash(entry.operation->request));
        }
    }
    return in_flight_.empty();
}

void SimRing::restart() {
    ASSERT(has_crashed());
    ASSERT(in_flight_.empty());
    kernel_.restart();
    if (std::exchange(was_killed_, false)) return files_.restore_process();
    clock_.advance(reboot_time);
    files_.restore_power(random_);
}

void SimRing::kill() {
    ASSERT(!has_crashed());
    was_killed_ = true;
    files_.stop();
}

}  // namespace restante::sim
