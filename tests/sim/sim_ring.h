#pragma once
/// A whole simulated world behind Ring: network, disk, clock, helper threads, randomness; one
/// thread, no real system call. The same seed and the same test give the same run.
///
///     SimRing ring({.seed = 7});
///     ring.files().make_directory("/var/vmail/mrose/new");
///     const int listener = ring.listen("192.0.2.25:110");
///     Client client = ring.connect(listener);
///     client.send("QUIT\r\n");
///     ring.settle();

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ring/ring.h"
#include "sim/sim_clock.h"
#include "sim/sim_faults.h"
#include "sim/sim_file_system.h"
#include "sim/sim_kernel.h"
#include "sim/sim_network.h"
#include "sim/sim_random.h"

namespace restante::sim {

/// Nothing may be in flight when it ends. Descriptors are numbers from 1000 up, none used twice.
class SimRing final : public Ring {
public:
    static constexpr std::size_t turns_max = 1'000'000;

    explicit SimRing(const SimOptions& options);
    ~SimRing() override;

    // Ring. wake() only ends a wait; nothing else may come from another thread.
    bool attempt(Operation& operation) override;
    void submit(Operation& operation) override;
    void cancel(Operation& operation) override;
    void close(int fd) override;
    /// Runs what is ready; where nothing is, advances the clock to the next deadline and runs what
    /// that made ready; where there is none, does nothing. Nor does it after a power cut.
    void turn() override;
    void wake() override { woken_ = true; }
    Instant now() const override { return clock_.now(); }
    WallTime wall_time() const override { return clock_.wall_time(); }
    void fill_random(std::span<std::byte> target) override;

    // The world outside.
    SimClock& clock() { return clock_; }
    SimFileSystem& files() { return files_; }
    int listen(std::string_view address) { return kernel_.listen(address); }
    /// A connection that waits to be accepted; reset at once where `listener` is closed.
    Client connect(int listener, std::string_view peer = "198.51.100.7:40000") {
        return kernel_.connect(listener, peer);
    }
    /// A descriptor for Request::write.
    int open_sink() { return kernel_.open_sink(); }
    const std::string& written(int fd) { return kernel_.written(fd); }

    // Running. False: not within `turns`, or power was lost.
    /// Until nothing is ready; the clock stands still.
    bool settle(std::size_t turns = turns_max);
    /// Until nothing can happen but from outside; every deadline passes.
    bool run_until_idle(std::size_t turns = turns_max);
    /// Also false where nothing can happen any more.
    bool run_until(const std::function<bool()>& predicate, std::size_t turns = turns_max);
    /// Settles, then lets time pass, deadline by deadline.
    bool run_for(Duration duration, std::size_t turns = turns_max);

    // Misfortunes, besides those of SimOptions and SimFileSystem.
    void plan_fault(const SimFaults::Plan& plan) { faults_.plan(plan); }
    /// From now on nothing goes wrong by dice, and nothing is late.
    void calm();
    /// Power is lost just after the n-th change to the disk from now (n >= 1; each Removal, each
    /// sync and each replace_file counts): nothing completes from then on.
    void crash_after(std::uint64_t changes) { files_.lose_power_after(changes); }
    /// The process is killed now: like a power cut, but the disk keeps what was done, synced or
    /// not. restart() comes a moment later.
    void kill();
    /// By either.
    bool has_crashed() const { return files_.has_lost_power(); }
    /// Changes to the disk so far.
    std::uint64_t changes() const { return files_.changes(); }
    /// After a crash: ends whatever is in flight, and whatever that starts, with -EIO (files),
    /// -ECANCELED (network, time) or -EAGAIN (offload), so that coroutines can end; the disk does
    /// not change. False: they go on and on.
    bool drain_after_crash(std::size_t rounds = 1000);
    /// After the drain: a minute later the machine is up again. Every connection is reset and every
    /// descriptor gone; handles from before may still be destroyed. After a power cut the disk is
    /// what SimFileSystem says of un-synced data.
    void restart();

    // Looking.
    std::uint64_t seed() const { return options_.seed; }
    /// Nothing is ready and no deadline is ahead.
    bool is_idle() const;
    std::size_t operations_in_flight() const { return in_flight_.size(); }
    /// Their kinds, as numbers: "0 12 ".
    std::string describe_in_flight() const;
    std::size_t open_descriptor_count() const { return kernel_.open_descriptors(); }
    /// Answered so far.
    std::uint64_t operations_of(Request::Kind kind) const {
        return operations_of_[static_cast<std::size_t>(kind)];
    }
    /// Of every answer so far: kind, order, time and result.
    std::uint64_t trace_hash() const { return trace_hash_; }

private:
    struct Entry {
        Operation* operation;
        std::uint64_t number;
        bool cancelled;
        Instant earliest;  ///< it does not complete before
    };

    Entry* find(const Operation& operation);
    Instant earliest_end();
    bool is_expired(const Operation& operation) const;
    bool is_ready(const Entry& entry) const;
    bool may_answer_inline(const Operation& operation) const;
    bool run_ready();
    void step(Operation& operation);
    std::int64_t outcome(const Entry& entry);
    void complete(Operation& operation, std::int64_t result);
    void record(const Operation& operation, std::uint64_t number);
    Instant next_deadline() const;

    SimOptions options_;
    SimRandom random_;
    SimClock clock_;
    SimFaults faults_;
    SimFileSystem files_;
    SimKernel kernel_;
    std::vector<Entry> in_flight_;  // in the order of submission
    std::uint64_t numbers_given_ = 0;
    std::uint64_t trace_hash_ = 14695981039346656037u;
    std::array<std::uint64_t, static_cast<std::size_t>(Request::Kind::offload) + 1>
        operations_of_{};
    bool woken_ = false;
    bool was_killed_ = false;
};

}  // namespace restante::sim
