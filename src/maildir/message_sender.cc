#include "maildir/message_sender.h"

#include <algorithm>

#include "pop3/head_cutter.h"
#include "pop3/reply.h"

namespace restante {
namespace {

/// Octets read at a time: stuffed they fit into one empty sink, whatever they are.
constexpr std::size_t chunk_octets = BufferPool::buffer_octets / 2;
/// Octets mapped at a time.
constexpr std::uint64_t mapped_octets_max = 1024 * 1024;
/// Octets sent at a time: each has a deadline of its own, so that a slow client is not a stalled
/// one.
constexpr std::uint64_t sent_octets_max = 256 * 1024;
/// The kernel reads no less than this from a disk.
constexpr std::uint64_t page_octets = 4096;

constexpr Error changed_underneath{ErrorKind::exhausted, 0, "message changed while it was sent"};

/// All lines end in CRLF, the last one too, and where the few dots to double are is known.
bool goes_as_stored(const pop3::MessageMeasure& measure) {
    return measure.octets.value() == measure.stored_octets &&
           measure.stuffed_dots <= pop3::stuffed_dots_recorded_max;
}

}  // namespace

Task<Result<void>> MessageSender::send() {
    const pop3::MessageMeasure measure = source_.measure();
    Result<void> sent;
    if (source_.is_as_measured() && goes_as_stored(measure)) {
        sent = co_await send_as_stored(measure);
    } else {
        sent = co_await convert(measure);
    }
    co_return sent;
}

/// In rows, each up to a '.' that has to be doubled.
Task<Result<void>> MessageSender::send_as_stored(pop3::MessageMeasure measure) {
    std::uint64_t first = 0;
    for (std::size_t dot = 0; dot < measure.stuffed_dots; ++dot) {
        const std::uint64_t after = measure.stuffed_dot_at[dot];
        Result<void> sent = co_await send_row(first, after);
        if (sent) sent = co_await write(".");
        if (!sent) co_return sent;
        first = after;
    }
    Result<void> sent = co_await send_row(first, measure.stored_octets);
    if (sent) sent = co_await check_unchanged(measure);
    if (sent) sent = co_await write(pop3::termination);
    co_return sent;
}

Task<Result<void>> MessageSender::send_row(std::uint64_t first, std::uint64_t after) {
    while (first < after) {
        const std::uint64_t left = after - first;
        Result<std::uint64_t> done = 0;
        if (is_mapped(left)) {
            done = co_await send_mapped(first, left);
        } else if (is_in_memory_ && left >= plan_.send_file_from && source_.file()) {
            const std::uint64_t asked = std::min(left, sent_octets_max);
            done = co_await sink_.send_file({*source_.file(), first, asked}, plan_.sending);
            is_in_memory_ = done && *done == asked;
        } else {
            done = co_await read_into_sink(first, left);
        }
        if (!done) co_return std::unexpected(done.error());
        first += *done;
    }
    co_return Result<void>();
}

/// What is sent without being looked at, or in several pieces, may be written to meanwhile; cut off
/// within a page, a mapping has zeros there and no signal tells. The file's time does.
Task<Result<void>> MessageSender::check_unchanged(pop3::MessageMeasure measure) {
    const std::uint64_t octets = measure.stored_octets;
    const bool is_read_at_once =
        octets <= chunk_octets && octets < plan_.send_file_from && octets < plan_.map_from;
    if (is_read_at_once || !source_.file()) co_return Result<void>();
    FileStatus now;
    const std::int64_t known = co_await perform(ring_, Request::status(*source_.file(), now));
    if (known < 0)
        co_return std::unexpected(error_of_errno(static_cast<int>(-known), "look at message"));
    if (now.modified != source_.modified() || now.octets != octets)
        co_return std::unexpected(changed_underneath);
    co_return Result<void>();
}

Task<Result<std::uint64_t>> MessageSender::send_mapped(std::uint64_t offset, std::uint64_t octets) {
    Mapping mapping;
    const std::uint64_t mapped = co_await map(mapping, offset, octets);
    if (mapped == 0) co_return mapped;
    const Result<void> sent = co_await sink_.send_memory(mapping.octets(), plan_.zero_copy);
    if (!sent) co_return std::unexpected(sent.error());
    co_return mapped;
}

Task<Result<std::uint64_t>> MessageSender::read_into_sink(std::uint64_t offset,
                                                          std::uint64_t octets) {
    if (sink_.room().size() < std::min<std::uint64_t>(octets, chunk_octets)) {
        const Result<void> flushed = co_await sink_.flush();
        if (!flushed) co_return std::unexpected(flushed.error());
    }
    const std::size_t wanted = std::min<std::uint64_t>(octets, sink_.room().size());
    const Result<void> read = co_await read_exactly(offset, sink_.room().first(wanted));
    if (!read) co_return std::unexpected(read.error());
    sink_.wrote(wanted);
    co_return wanted;
}

/// Everything passes the stuffer, which counts: a message that was overwritten in place is not
/// ended as if it were the one that LIST told of.
Task<Result<void>> MessageSender::convert(pop3::MessageMeasure measure) {
    Buffer chunk;
    Mapping mapping;
    pop3::ByteStuffer stuffer;
    for (std::uint64_t offset = 0; offset < measure.stored_octets;) {
        const std::uint64_t left = measure.stored_octets - offset;
        std::uint64_t got = 0;
        if (is_mapped(measure.stored_octets)) got = co_await map(mapping, offset, left);
        std::span<const char> octets = mapping.octets();
        if (got == 0) {
            if (!chunk.is_held()) chunk = buffers_.acquire();
            got = std::min<std::uint64_t>(left, chunk_octets);
            octets = chunk.octets().first(got);
            const Result<void> read = co_await read_exactly(offset, chunk.octets().first(got));
            if (!read) co_return read;
        }
        const Result<void> stuffed = co_await stuff(stuffer, octets);
        if (!stuffed) co_return stuffed;
        if (!mapping.is_intact()) co_return std::unexpected(changed_underneath);
        offset += got;
    }
    if (stuffer.octets() != measure.octets) co_return std::unexpected(changed_underneath);
    Result<void> ended = co_await check_unchanged(measure);
    if (ended) ended = co_await end(stuffer);
    co_return ended;
}

Task<Result<void>> MessageSender::send_top(pop3::BodyLines body) {
    const pop3::MessageMeasure measure = source_.measure();
    const Buffer chunk = buffers_.acquire();
    pop3::HeadCutter cutter(body);
    pop3::ByteStuffer stuffer;
    for (std::uint64_t offset = 0; offset < measure.stored_octets && !cutter.done();) {
        // The headers, then a page at a time: what is not sent is not read from the disk.
        std::uint64_t after = measure.header_octets;
        if (offset >= after) after = (offset / page_octets + 1) * page_octets;
        const std::size_t wanted =
            std::min<std::uint64_t>(std::min(after, measure.stored_octets) - offset, chunk_octets);
        const std::span<char> piece = chunk.octets().first(wanted);
        Result<void> done = co_await read_exactly(offset, piece);
        if (done) done = co_await stuff(stuffer, piece.first(cutter.feed(piece)));
        if (!done) co_return done;
        offset += wanted;
    }
    const Result<void> ended = co_await end(stuffer);
    co_return ended;
}

/// Octets in `mapping`, 0 where they have to be read.
Task<std::uint64_t> MessageSender::map(Mapping& mapping, std::uint64_t offset,
                                       std::uint64_t octets) {
    const FilePart part{*source_.file(), offset, std::min(octets, mapped_octets_max)};
    mapping.reset();
    const std::int64_t mapped = co_await perform(ring_, Request::map(part, mapping));
    if (mapped <= 0) is_in_memory_ = false;
    co_return static_cast<std::uint64_t>(std::max<std::int64_t>(mapped, 0));
}

Task<Result<void>> MessageSender::stuff(pop3::ByteStuffer& stuffer, std::span<const char> octets) {
    while (!octets.empty()) {
        const std::size_t wanted = std::min(octets.size(), chunk_octets);
        if (sink_.room().size() < 2 * wanted) {
            const Result<void> flushed = co_await sink_.flush();
            if (!flushed) co_return flushed;
        }
        sink_.wrote(stuffer.feed(octets.first(wanted), sink_.room()));
        octets = octets.subspan(wanted);
    }
    co_return Result<void>();
}

Task<Result<void>> MessageSender::end(const pop3::ByteStuffer& stuffer) {
    char text[pop3::ByteStuffer::finish_octets_max];
    const std::size_t octets = stuffer.finish(text);
    const Result<void> written = co_await write({text, octets});
    co_return written;
}

Task<Result<void>> MessageSender::write(std::string_view text) {
    if (sink_.write(text)) co_return Result<void>();
    const Result<void> flushed = co_await sink_.flush();
    if (flushed) ASSERT(sink_.write(text));
    co_return flushed;
}

Task<Result<void>> MessageSender::read_exactly(std::uint64_t offset, std::span<char> target) {
    const std::int64_t got = co_await perform(ring_, source_.read(offset, target));
    if (got < 0) co_return std::unexpected(error_of_errno(static_cast<int>(-got), "read message"));
    if (static_cast<std::size_t>(got) != target.size())
        co_return std::unexpected(changed_underneath);
    co_return Result<void>();
}

}  // namespace restante
