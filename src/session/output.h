#pragma once
/// Replies on their way out: gathered, then sent together.

#include <optional>
#include <span>
#include <string_view>

#include "base/buffer_pool.h"
#include "maildir/delivery.h"
#include "net/stream.h"
#include "pop3/limits.h"
#include "pop3/reply.h"

namespace restante {

/// Holds a pooled buffer only while there is much to send. What is written in one go leaves in one
/// segment, pipelined replies together.
class Output final : public WireSink {
public:
    /// `stall_max`: how long a client may take to accept what one send carries.
    Output(Ring& ring, BufferPool& buffers, Stream& stream, Duration stall_max)
        : ring_(ring), buffers_(buffers), stream_(stream), stall_max_(stall_max) {}

    /// Each needs has_room_for_line(); the caller flushes before.
    void reply(pop3::Reply reply);
    void line(std::string_view text);  ///< CRLF is added; at most response_line_octets_max with it
    void stat(std::uint32_t count, pop3::Octets octets);
    void octets(pop3::Octets octets);
    void scan_listing(pop3::MessageNumber number, pop3::Octets octets, bool ok);
    void unique_id_listing(pop3::MessageNumber number, std::string_view unique_id, bool ok);
    void terminate();

    bool is_empty() const { return used_ == 0; }
    /// False: flush() first.
    bool has_room_for_line() const {
        return BufferPool::buffer_octets - used_ >= pop3::response_line_octets_max;
    }
    /// What there is to send, where it is little and can stay in place until the client's next
    /// command: to be sent by who calls. Valid until something is written.
    std::optional<std::span<const char>> take_small();

    std::span<char> room() override;
    void wrote(std::size_t octets) override { used_ += octets; }
    Task<Result<void>> flush() override;
    /// Sends what there is and gives the buffer back. `more`: the same response goes on.
    Task<Result<void>> send(bool more);

private:
    /// Room for one line beside what small replies to a few commands take.
    static constexpr std::size_t small_octets = pop3::response_line_octets_max + 128;

    char* line_room();

    Ring& ring_;
    BufferPool& buffers_;
    Stream& stream_;
    Duration stall_max_;
    char small_[small_octets];
    Buffer buffer_;  // from the first line that small_ has no room for
    std::size_t used_ = 0;
};

}  // namespace restante
