#pragma once
/// The simulated kernel: carries out one Request at a time on descriptors, connections and the
/// disk. When, in which order and with what luck is decided by SimRing.

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "ring/operation.h"
#include "sim/sim_faults.h"
#include "sim/sim_file_system.h"
#include "sim/sim_network.h"
#include "sim/sim_random.h"

namespace restante::sim {

class SimKernel {
public:
    SimKernel(const SimOptions& options, SimRandom& random, SimFaults& faults, SimFileSystem& files)
        : options_(options), random_(random), faults_(faults), files_(files) {}

    static constexpr std::int64_t would_block = SimConnection::would_block;

    /// Whether carry_out() would get anywhere.
    bool is_ready(const Operation& operation) const;
    /// The result, or would_block. A send may have made progress all the same.
    std::int64_t carry_out(Operation& operation);
    /// What was received last may not be looked at any more.
    void forget_received() { received_.reset(); }
    /// Whether a send has room for all of it.
    bool is_whole_send_ready(const Operation& operation) const;

    int listen(std::string_view address);
    Client connect(int listener, std::string_view peer);
    int open_sink();
    const std::string& written(int fd) { return written_[fd]; }

    /// What was open before the last power cut may be closed once more, in vain.
    void close(int fd);
    std::size_t open_descriptors() const { return descriptors_.size(); }
    /// All connections and descriptors are gone.
    void restart();

private:
    static constexpr std::size_t buffer_octets_max = 2048;

    /// One of them is set, or none (a sink).
    struct Descriptor {
        std::shared_ptr<SimListener> listener;
        std::shared_ptr<SimConnection> connection;
        InodeRef inode;
        InodeRef locked;  ///< ends with the descriptor
    };

    const Descriptor& descriptor(int fd) const;
    SimListener& listener(int fd) const;
    SimConnection& connection(const Operation& operation) const;
    InodeRef inode(int fd) const;
    std::int64_t add(Descriptor descriptor);
    bool has_room() const { return descriptors_.size() < options_.descriptors_max; }

    std::int64_t carry_out_network(Operation& operation);
    std::int64_t carry_out_file(Operation& operation);
    std::int64_t accept(const Request& request);
    bool is_sending(const Operation& operation) const;
    std::int64_t receive(Operation& operation);
    std::int64_t send(Operation& operation);
    std::int64_t send_file(Operation& operation);
    std::int64_t map(const Request& request);
    std::int64_t open(const Request& request);
    std::int64_t status_at(const Request& request);
    std::int64_t read(Operation& operation);
    std::int64_t read_part(Operation& operation, std::size_t octets);
    std::int64_t write(const Request& request);
    std::int64_t lock(const Request& request);
    std::int64_t lock_with(int fd, const InodeRef& inode);
    std::int64_t list(Operation& operation);
    void list_all(const Request& request, const SimInode& directory);
    std::int64_t list_part(Operation& operation, const SimInode& directory);
    void fail_connection(Operation& operation, int error);
    std::int64_t remove(const Request& request);
    int remove_one(Removal& removal);
    std::size_t part_of(std::size_t octets);

    const SimOptions& options_;
    SimRandom& random_;
    SimFaults& faults_;
    SimFileSystem& files_;
    std::map<int, Descriptor> descriptors_;
    std::map<int, std::string> written_;
    std::unique_ptr<char[]> received_;  // of the last receive; new each time, so that ASan sees
    int next_fd_ = 1000;                // never a real one, never used twice
    int first_fd_ = 1000;               // since the last power cut
};

}  // namespace restante::sim
