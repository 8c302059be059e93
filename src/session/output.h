#pragma once
/// Replies on their way out: gathered, then sent together.

#include <algorithm>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/buffer_pool.h"
#include "base/slab.h"
#include "maildir/delivery.h"
#include "net/stream.h"
#include "pop3/limits.h"
#include "pop3/reply.h"

namespace restante {

/// Has room for a short reply, and holds more only while there is more to send: a pooled buffer
/// where it is much. What is written in one go leaves in one segment, pipelined replies together.
class Output final : public WireSink {
public:
    /// Before the login, when anybody may leave replies unread, no more than this waits.
    static constexpr std::size_t early_octets_max = 4 * pop3::response_line_octets_max;

    /// `stall_max`: how long a client may take to accept what one send carries.
    Output(BufferPool& buffers, Stream& stream, Duration stall_max)
        : buffers_(buffers), stream_(stream), stall_max_(stall_max) {}

    /// One reply, of a line or of a few (CAPA), needs has_room_for_reply(); the caller sends
    /// before.
    void reply(pop3::Reply reply);
    void line(std::string_view text);  ///< CRLF is added; at most response_line_octets_max with it
    void stat(std::uint32_t count, pop3::Octets octets);
    void octets(pop3::Octets octets);
    void terminate();
    /// Room for `octets` at least, after has_room_for_reply(): wrote() says how much was used.
    std::span<char> line_room(std::size_t octets);

    bool is_empty() const { return used_ == 0; }
    /// False: flush() first.
    bool has_room_for_reply() const {
        const std::size_t most = is_early() ? early_octets_max : BufferPool::buffer_octets;
        return used_ + short_reply_octets_max <= most;
    }

    /// A place to come back to with take_back().
    struct Mark {
        std::uint32_t used;
        std::uint32_t sends;
    };
    Mark mark() const { return {used_, sends_}; }
    /// Forgets what was written since `mark`; false, and nothing is forgotten, where it was sent.
    bool take_back(Mark mark);

    /// No send lasts longer than until `when` (the time to log in); `never`: only its own limit.
    void limit(Instant when) { limit_ = when; }
    /// What there is to send, where it is little and can stay in place until the client's next
    /// command: to be sent by who calls, else nothing. Valid until something is written.
    std::span<const char> take_small();

    bool sends_plain() const override { return stream_.sends_plain(); }
    std::span<char> room() override;
    void wrote(std::size_t octets) override { used_ += static_cast<std::uint32_t>(octets); }
    bool write(std::string_view text) override;
    Task<Result<void>> flush() override;
    Task<Result<std::uint64_t>> send_file(FilePart part, FileSending sending) override;
    Task<Result<void>> send_memory(std::span<const char> octets, bool zero_copy) override;
    /// Sends what there is and gives the buffer back. `more`: the same response goes on.
    Task<Result<void>> send(bool more);
    /// The same in two steps, where there is something: what to ask for, and what came of it.
    Request sending() {
        trim();
        return stream_.sending(store().first(used_), false, deadline());
    }
    Result<void> sent(std::int64_t result);
    /// Sends what there is, also on an interrupted stream, until `deadline`, and FIN with it: a
    /// session's last reply.
    Task<Result<void>> send_last(Instant deadline);

private:
    /// A reply of several lines that is not sent in pieces: CAPA and the list of AUTH.
    static constexpr std::size_t short_reply_octets_max = 2 * pop3::response_line_octets_max;
    /// A LIST of 20 messages, or the replies to a few commands; with what the slab adds a size that
    /// allocators have. Idle sessions keep the greeting there.
    static constexpr std::size_t small_octets =
        256 + pop3::short_line_octets_max - SlabOctets::header_octets;
    /// Most replies: "+OK 20 709124". Every idle session has as much.
    static constexpr std::size_t brief_octets = 24;

    Instant deadline() const { return std::min(stream_.now() + stall_max_, limit_); }
    bool is_early() const { return limit_ != never; }
    void trim();
    std::span<char> store();
    void append(std::string_view text);

    BufferPool& buffers_;
    Stream& stream_;
    Duration stall_max_;
    // What is to be sent lies in the last of these that is held.
    char brief_[brief_octets];
    SlabOctets small_;
    Buffer buffer_;
    std::uint32_t used_ = 0;
    std::uint32_t sends_ = 0;
    Instant limit_ = never;
};

}  // namespace restante
