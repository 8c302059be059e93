#include "maildir/message_sender.h"

#include <algorithm>

#include "pop3/head_cutter.h"
#include "pop3/reply.h"

namespace restante {
namespace {

/// The kernel reads no less than this from a disk.
constexpr std::uint64_t page_octets = 4096;
/// Octets read at a time: stuffed they fit into one sink, whatever they are, behind a status line.
constexpr std::size_t chunk_octets = BufferPool::buffer_octets / 2 - page_octets;
/// Octets mapped at a time.
constexpr std::uint64_t mapped_octets_max = 1024 * 1024;
/// Octets sent at a time: each has a deadline of its own, so that a slow client is not a stalled
/// one.
constexpr std::uint64_t sent_octets_max = 256 * 1024;

constexpr Error changed_underneath{ErrorKind::exhausted, 0, "message changed while it was sent"};

/// All lines end in CRLF, the last one too, and where the few dots to double are is known.
bool goes_as_stored(const pop3::MessageMeasure& measure) {
    return measure.octets.value() == measure.stored_octets &&
           measure.stuffed_dots <= pop3::stuffed_dots_recorded_max;
}

std::uint64_t page_after(std::uint64_t offset) { return (offset / page_octets + 1) * page_octets; }

/// Where a chunk of `octets` lies in `buffer`: half a page from where the sink writes what becomes
/// of it. A load just behind a store, modulo 4096, waits for it: stuffing would take twice as long.
std::span<char> chunk_of(const Buffer& buffer, std::uint64_t octets) {
    return buffer.octets().subspan(page_octets / 2, octets);
}

/// What a read of `wanted` octets that the message must have came to.
Result<void> all_read(std::int64_t got, std::size_t wanted) {
    if (got < 0) return std::unexpected(error_of_errno(static_cast<int>(-got), "read message"));
    if (static_cast<std::size_t>(got) != wanted) return std::unexpected(changed_underneath);
    return {};
}

}  // namespace

Task<Result<void>> MessageSender::send() {
    return source_.is_as_measured() && goes_as_stored(measure_) ? send_as_stored() : convert();
}

/// In rows, each up to a '.' that has to be doubled.
Task<Result<void>> MessageSender::send_as_stored() {
    std::size_t dot = 0;
    for (std::uint64_t first = 0; first < measure_.stored_octets;) {
        const bool is_last_row = dot == measure_.stuffed_dots;
        const std::uint64_t after =
            is_last_row ? measure_.stored_octets : measure_.stuffed_dot_at[dot];
        if (first < after) {
            const Result<std::uint64_t> done = co_await send_some(first, after - first);
            if (!done) co_return std::unexpected(done.error());
            first += *done;
        }
        if (first < after || is_last_row) continue;
        ++dot;
        Result<void> doubled;
        if (!sink_.write(".")) doubled = co_await flush_and_write(".");
        if (!doubled) co_return doubled;
    }
    Result<void> ended;
    if (needs_check() || measure_.stuffed_dots > 0) ended = co_await check_unchanged();
    if (ended && !sink_.write(pop3::termination))
        ended = co_await flush_and_write(pop3::termination);
    co_return ended;
}

/// The beginning of a row: octets that were sent, or that the sink has.
Task<Result<std::uint64_t>> MessageSender::send_some(std::uint64_t first, std::uint64_t octets) {
    Result<std::uint64_t> done = 0;
    if (is_mapped(octets)) {
        done = co_await send_mapped(first, octets);
        co_return done;
    }
    if (is_in_memory_ && octets >= plan_.send_file_from && source_.file()) {
        const std::uint64_t asked = std::min(octets, sent_octets_max);
        done = co_await sink_.send_file({*source_.file(), first, asked}, plan_.sending);
        is_in_memory_ = done && *done == asked;
        co_return done;
    }
    if (sink_.room().size() < std::min<std::uint64_t>(octets, chunk_octets)) {
        const Result<void> flushed = co_await sink_.flush();
        if (!flushed) co_return std::unexpected(flushed.error());
    }
    const std::size_t wanted = std::min<std::uint64_t>(octets, sink_.room().size());
    const std::int64_t got =
        co_await perform(ring_, source_.read(first, sink_.room().first(wanted)));
    const Result<void> read = all_read(got, wanted);
    if (!read) co_return std::unexpected(read.error());
    sink_.wrote(wanted);
    co_return wanted;
}

/// What is sent without being looked at, or in several pieces, may be written to meanwhile; cut off
/// within a page, a mapping has zeros there and no signal tells. The file's time does.
bool MessageSender::needs_check() const {
    const std::uint64_t octets = measure_.stored_octets;
    return octets > chunk_octets || octets >= plan_.send_file_from || octets >= plan_.map_from;
}

Task<Result<void>> MessageSender::check_unchanged() {
    if (!source_.file()) co_return Result<void>();
    FileStatus now;
    const std::int64_t known = co_await perform(ring_, Request::status(*source_.file(), now));
    if (known < 0)
        co_return std::unexpected(error_of_errno(static_cast<int>(-known), "look at message"));
    if (now.modified != source_.modified() || now.octets != measure_.stored_octets)
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

/// Everything passes the stuffer, which counts: a message that was overwritten in place is not
/// ended as if it were the one that LIST told of.
Task<Result<void>> MessageSender::convert() {
    Buffer chunk;
    Mapping mapping;
    pop3::ByteStuffer stuffer;
    for (std::uint64_t offset = 0; offset < measure_.stored_octets;) {
        const std::uint64_t left = measure_.stored_octets - offset;
        std::uint64_t got = 0;
        if (is_mapped(measure_.stored_octets)) got = co_await map(mapping, offset, left);
        std::span<const char> octets = mapping.octets();
        if (got == 0) {
            got = std::min<std::uint64_t>(left, chunk_octets);
            if (sink_.room().size() < 2 * got) {
                chunk.reset();  // a client that does not read costs one buffer, not two
                const Result<void> flushed = co_await sink_.flush();
                if (!flushed) co_return flushed;
            }
            if (!chunk.is_held()) chunk = buffers_.acquire();
            const std::span<char> target = chunk_of(chunk, got);
            const std::int64_t done = co_await perform(ring_, source_.read(offset, target));
            const Result<void> read = all_read(done, got);
            if (!read) co_return read;
            octets = target;
        }
        Result<void> stuffed;
        if (!stuff_at_once(stuffer, octets)) stuffed = co_await stuff(stuffer, octets);
        if (!stuffed) co_return stuffed;
        if (!mapping.is_intact()) co_return std::unexpected(changed_underneath);
        offset += got;
    }
    if (stuffer.octets() != measure_.octets) co_return std::unexpected(changed_underneath);
    Result<void> ended;
    if (needs_check()) ended = co_await check_unchanged();
    if (ended) ended = co_await end(stuffer);
    co_return ended;
}

Task<Result<void>> MessageSender::send_top(pop3::BodyLines body) {
    const Buffer chunk = buffers_.acquire();
    pop3::HeadCutter cutter(body);
    pop3::ByteStuffer stuffer;
    // The headers alone, or with the rest of their page, then a page at a time: of what is not sent
    // no more is read from the disk than it reads at once.
    std::uint64_t after = measure_.header_octets;
    if (body.count() > 0) after = page_after(after);
    for (std::uint64_t offset = 0; offset < measure_.stored_octets && !cutter.done();) {
        if (offset >= after) after = page_after(offset);
        const std::size_t wanted =
            std::min<std::uint64_t>(std::min(after, measure_.stored_octets) - offset, chunk_octets);
        const std::span<char> piece = chunk_of(chunk, wanted);
        const std::int64_t got = co_await perform(ring_, source_.read(offset, piece));
        Result<void> done = all_read(got, wanted);
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

/// False, and nothing is done, where the sink has no room for whatever becomes of `octets`.
bool MessageSender::stuff_at_once(pop3::ByteStuffer& stuffer, std::span<const char> octets) {
    const std::span<char> room = sink_.room();
    if (room.size() < 2 * octets.size()) return false;
    sink_.wrote(stuffer.feed(octets, room));
    return true;
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
    const std::string_view last(text, stuffer.finish(text));
    Result<void> written;
    if (!sink_.write(last)) written = co_await flush_and_write(last);
    co_return written;
}

/// Where there was no room for it.
Task<Result<void>> MessageSender::flush_and_write(std::string_view text) {
    const Result<void> flushed = co_await sink_.flush();
    if (flushed) ASSERT(sink_.write(text));
    co_return flushed;
}

}  // namespace restante
