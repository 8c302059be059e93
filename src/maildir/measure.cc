#include "maildir/measure.h"

#include <algorithm>

namespace restante {
namespace {

/// Read between two turns, where all of it is in memory: a third of a millisecond.
constexpr std::uint64_t octets_a_turn = 1024 * 1024;
static_assert(octets_a_turn % BufferPool::buffer_octets == 0);

std::unexpected<Error> failed(std::int64_t result, const char* operation) {
    return std::unexpected(error_of_errno(static_cast<int>(-result), operation));
}

/// Of a file about to be read; 0 where it may yet change and show the same time.
WallTime settled_time(const FileStatus& status, const Ring& ring) {
    const std::int64_t age = ring.wall_time().nanoseconds - status.modified.nanoseconds;
    return age > file_time_granularity.count() ? status.modified : WallTime{};
}

Error changed_while_read() { return {ErrorKind::exhausted, 0, "file changed while it was read"}; }

}  // namespace

Task<Result<MeasuredFile>> measure_file(Ring& ring, BufferPool& buffers, int maildrop,
                                        BriefString path, bool with_content) {
    FileStatus status;
    const std::int64_t opened =
        co_await perform(ring, Request::open_file(maildrop, path.c_str(), status));
    if (opened < 0) co_return failed(opened, "open message");
    const Handle file(ring, static_cast<int>(opened));
    const WallTime modified = settled_time(status, ring);
    const Buffer buffer = buffers.acquire();
    pop3::MessageMeter meter;
    ContentDigest digest;
    for (std::uint64_t offset = 0; offset < status.octets;) {
        const std::size_t wanted =
            std::min<std::uint64_t>(buffer.octets().size(), status.octets - offset);
        const std::span<char> piece = buffer.octets().first(wanted);
        const std::int64_t got = co_await perform(ring, Request::read(file.get(), piece, offset));
        if (got < 0) co_return failed(got, "read message");
        if (static_cast<std::size_t>(got) != wanted)
            co_return std::unexpected(changed_while_read());
        meter.feed(piece);
        if (with_content) digest.feed(piece);
        offset += wanted;
        if (offset % octets_a_turn == 0) co_await yield(ring);
    }
    MeasuredFile measured{meter.finish(), status.inode, modified, std::nullopt};
    if (with_content) measured.content = digest.finish();
    co_return measured;
}

Task<Result<std::vector<char>>> read_open_file(Ring& ring, int file, std::uint64_t octets,
                                               const char* name) {
    std::vector<char> content;
    content.reserve(octets);
    while (content.size() < octets) {
        if (!content.empty()) co_await yield(ring);
        const std::size_t offset = content.size();
        const std::size_t wanted = std::min(octets_a_turn, octets - offset);
        content.resize(offset + wanted);
        const std::span<char> piece = std::span(content).subspan(offset);
        const std::int64_t got = co_await perform(ring, Request::read(file, piece, offset));
        if (got < 0) co_return failed(got, name);
        if (static_cast<std::size_t>(got) != wanted)
            co_return std::unexpected(changed_while_read());
    }
    co_return content;
}

Task<Result<std::vector<char>>> read_file(Ring& ring, int maildrop, const char* name,
                                          std::uint64_t octets_max) {
    FileStatus status;
    const std::int64_t opened = co_await perform(ring, Request::open_file(maildrop, name, status));
    if (opened < 0) co_return failed(opened, name);
    const Handle file(ring, static_cast<int>(opened));
    if (status.octets > octets_max)
        co_return std::unexpected(Error{ErrorKind::exhausted, 0, "file too large"});
    Result<std::vector<char>> content =
        co_await read_open_file(ring, file.get(), status.octets, name);
    co_return content;
}

}  // namespace restante
