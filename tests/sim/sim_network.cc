#include "sim/sim_network.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/assert.h"

namespace restante::sim {
namespace {

constexpr std::size_t compact_octets_min = 64 * 1024;

}  // namespace

std::string_view OctetQueue::take(std::size_t count) {
    ASSERT(count <= size());
    if (head_ >= compact_octets_min && head_ > octets_.size() / 2) {
        octets_.erase(0, head_);
        head_ = 0;
    }
    const std::string_view taken(octets_.data() + head_, count);
    head_ += count;
    return taken;
}

void OctetQueue::clear() {
    octets_.clear();
    head_ = 0;
}

bool SimConnection::is_receive_ready() const {
    return !to_server_.is_empty() || reset_ || has_end_arrived();
}

std::int64_t SimConnection::receive(std::span<char> target) {
    ASSERT(!server_closed_);
    ASSERT(!target.empty());
    if (!to_server_.is_empty()) {
        const std::string_view octets = to_server_.take(std::min(target.size(), to_server_.size()));
        std::memcpy(target.data(), octets.data(), octets.size());
        const auto count = static_cast<std::int64_t>(octets.size());
        pump();
        return count;
    }
    if (reset_) return -ECONNRESET;
    return has_end_arrived() ? 0 : would_block;
}

std::size_t SimConnection::send_room() const {
    if (reset_ || server_finished_ || (client_gone_ && !is_split_)) return SIZE_MAX;
    return window_ - std::min(window_, to_client_.size());
}

std::int64_t SimConnection::send(std::string_view octets) {
    ASSERT(!server_closed_);
    ASSERT(octets.size() <= send_room());
    if (server_finished_) return -EPIPE;
    if (reset_) return -ECONNRESET;
    if (client_gone_ && !is_split_) {
        reset_ = true;
    } else {
        deliver(octets);
    }
    return static_cast<std::int64_t>(octets.size());
}

void SimConnection::close_by_server() {
    const bool is_all_read = to_server_.is_empty() && outbox_.is_empty();
    server_closed_ = true;
    if (is_all_read) return;
    is_reset_by_server_ = !reset_;
    reset(true);
}

bool SimConnection::has_end_arrived() const {
    return client_finished_ && outbox_.is_empty() && !is_split_;
}

void SimConnection::reset_by_client() {
    if (is_split_) {
        resets_once_whole_ = true;
    } else {
        reset(false);
    }
}

void SimConnection::set_split(bool split) {
    is_split_ = split;
    if (split) return;
    if (resets_once_whole_) return reset(false);
    pump();
    set_client_reads(client_reads_);
    if (client_gone_ && !to_client_.is_empty()) reset(false);
}

void SimConnection::reset(bool lose_arrived) {
    reset_ = true;
    outbox_.clear();
    to_client_.clear();
    if (lose_arrived) to_server_.clear();
}

void SimConnection::send_by_client(std::string_view octets) {
    ASSERT(!client_finished_);
    if (reset_) return;
    if (server_closed_) return reset(true);
    outbox_.put(octets);
    pump();
}

void SimConnection::close_by_client() {
    client_finished_ = true;
    client_gone_ = true;
    if (!to_client_.is_empty() && !is_split_) reset(false);
}

void SimConnection::set_client_reads(bool reads) {
    client_reads_ = reads;
    if (reads && !is_split_) deliver(to_client_.take(to_client_.size()));
}

bool SimConnection::has_server_ended() const {
    if (is_split_) return false;
    return reset_ || (to_client_.is_empty() && (server_finished_ || server_closed_));
}

// From the client's kernel into the window.
void SimConnection::pump() {
    if (is_split_) return;
    const std::size_t room = window_ - std::min(window_, to_server_.size());
    const std::size_t moved = passing(std::min(room, outbox_.size()));
    to_server_.put(outbox_.take(moved));
    passed(moved);
}

void SimConnection::deliver(std::string_view octets) {
    if (!client_reads_ || is_split_) return to_client_.put(octets);
    const std::size_t moved = passing(octets.size());
    if (sink_) {
        sink_(octets.substr(0, moved));
    } else {
        received_.append(octets, 0, moved);
    }
    passed(moved);
}

/// Of `octets` those that pass before the connection is reset.
std::size_t SimConnection::passing(std::size_t octets) const {
    return static_cast<std::size_t>(std::min<std::uint64_t>(octets, octets_left_));
}

void SimConnection::passed(std::size_t octets) {
    if (octets_left_ == UINT64_MAX) return;
    octets_left_ -= octets;
    if (octets_left_ == 0) reset(false);
}

}  // namespace restante::sim
