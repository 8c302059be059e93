#pragma once
/// Simulated TCP: listeners, connections, and the client at the other end of each, whom a test
/// plays.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "ring/socket_address.h"

namespace restante::sim {

/// Octets in order; taking from the front moves nothing.
class OctetQueue {
public:
    std::size_t size() const { return octets_.size() - head_; }
    bool is_empty() const { return size() == 0; }
    void put(std::string_view octets) { octets_.append(octets); }
    /// The first `count`, which must be there. Valid until the next call of anything.
    std::string_view take(std::size_t count);
    void clear();

private:
    std::string octets_;
    std::size_t head_ = 0;
};

/// One connection, both ends. The client's kernel is without bounds; what is in transit to the
/// server, and to a client that does not read, is at most `window` octets each.
class SimConnection {
public:
    SimConnection(const SocketAddress& client, const SocketAddress& server, std::size_t window)
        : peer(client), local(server), window_(window) {}

    const SocketAddress peer;
    const SocketAddress local;

    // The server's end; results are as Request has them, would_block where it must wait.
    static constexpr std::int64_t would_block = INT64_MIN;
    bool is_receive_ready() const;
    std::int64_t receive(std::span<char> target);
    bool is_send_ready() const { return send_room() > 0; }
    /// Octets that a send would take now; SIZE_MAX where it would fail.
    std::size_t send_room() const;
    /// At most send_room() octets. A client that is gone takes the first send like any other and
    /// answers it with a reset.
    std::int64_t send(std::string_view octets);
    void finish_sending() { server_finished_ = true; }
    /// As Linux does it: a reset where the client's octets were not all read, else an ordinary end.
    void close_by_server();
    /// Either side, or a router on the way, has given up. `lose_arrived`: nor are octets readable
    /// that had arrived before.
    void reset(bool lose_arrived);

    // The client's end: see Client.
    void send_by_client(std::string_view octets);
    void finish_by_client() { client_finished_ = true; }
    void reset_by_client();
    void set_split(bool split);
    /// A router on the way ends it once so many more octets have passed, either way.
    void reset_after(std::uint64_t octets) { octets_left_ = octets; }
    void close_by_client();
    void set_client_reads(bool reads);
    void set_sink(std::function<void(std::string_view)> sink) { sink_ = std::move(sink); }
    std::string& received() { return received_; }
    std::size_t unsent_octets() const { return outbox_.size(); }
    bool has_server_ended() const;
    bool was_reset() const { return reset_; }
    /// By anybody but the server.
    bool was_broken() const { return reset_ && !is_reset_by_server_; }

private:
    void pump();
    bool has_end_arrived() const;
    std::size_t passing(std::size_t octets) const;
    void passed(std::size_t octets);
    void deliver(std::string_view octets);

    const std::size_t window_;
    OctetQueue outbox_;     // sent by the client, not yet arrived
    OctetQueue to_server_;  // arrived at the server, not yet received
    OctetQueue to_client_;  // arrived at a client that does not read
    std::string received_;
    std::function<void(std::string_view)> sink_;
    bool client_reads_ = true;
    bool client_finished_ = false;
    bool client_gone_ = false;
    bool server_finished_ = false;
    bool server_closed_ = false;
    bool reset_ = false;
    bool is_reset_by_server_ = false;
    bool is_split_ = false;
    bool resets_once_whole_ = false;  // the client's reset is on its way
    std::uint64_t octets_left_ = UINT64_MAX;
};

/// Connections wait here until they are accepted, in order.
struct SimListener {
    SocketAddress address;
    std::deque<std::shared_ptr<SimConnection>> waiting;
};

/// The test's end of a connection; a value, and copies are the same client. Reads all by itself
/// unless told otherwise. Ends only when told to.
class Client {
public:
    explicit Client(std::shared_ptr<SimConnection> connection)
        : connection_(std::move(connection)) {}

    void send(std::string_view octets) { connection_->send_by_client(octets); }
    /// All octets so far, or those since the last take_received().
    const std::string& received() const { return connection_->received(); }
    std::string take_received() { return std::exchange(connection_->received(), {}); }
    /// From now on octets go to `sink` and not to received(): gigabytes in bounded memory.
    void set_sink(std::function<void(std::string_view)> sink) {
        connection_->set_sink(std::move(sink));
    }

    /// Sends no more, reads on (FIN).
    void finish() { connection_->finish_by_client(); }
    /// Neither sends nor reads any more; what it sent still arrives.
    void close() { connection_->close_by_client(); }
    void reset() { connection_->reset_by_client(); }
    /// Nothing passes between the two ends, neither octets nor an end, until it is healed.
    void split() { connection_->set_split(true); }
    void heal() { connection_->set_split(false); }
    /// See SimConnection::reset_after().
    void reset_after(std::uint64_t octets) { connection_->reset_after(octets); }
    void stop_reading() { connection_->set_client_reads(false); }
    void resume_reading() { connection_->set_client_reads(true); }

    /// The end of the server's octets was read, or a reset.
    bool has_server_closed() const { return connection_->has_server_ended(); }
    bool was_reset() const { return connection_->was_reset(); }
    /// Not by the server.
    bool was_broken() const { return connection_->was_broken(); }
    /// Sent, but beyond the window of a server that does not read.
    std::size_t unsent_octets() const { return connection_->unsent_octets(); }

private:
    std::shared_ptr<SimConnection> connection_;
};

}  // namespace restante::sim
