#include "session/output.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "pop3/limits.h"

namespace restante {

std::span<char> Output::store() {
    if (buffer_.is_held()) return buffer_.octets();
    if (small_.is_held()) return small_.octets();
    return brief_;
}

/// Early replies wait in as much as they take.
void Output::trim() {
    if (!is_early() || !buffer_.is_held()) return;
    small_ = SlabOctets(std::max<std::size_t>(small_octets, used_));
    std::memcpy(small_.octets().data(), buffer_.octets().data(), used_);
    buffer_.reset();
}

std::span<char> Output::room() {
    if (!buffer_.is_held()) {
        const std::span<const char> written = store().first(used_);
        Buffer buffer = buffers_.acquire();
        std::ranges::copy(written, buffer.octets().begin());
        buffer_ = std::move(buffer);
        small_.reset();
    }
    return buffer_.octets().subspan(used_);
}

std::span<char> Output::line_room(std::size_t octets) {
    const bool is_brief = !buffer_.is_held() && !small_.is_held();
    if (is_brief && small_octets - used_ >= octets) {
        small_ = SlabOctets(small_octets);
        std::memcpy(small_.octets().data(), brief_, used_);
    }
    const std::span<char> free = store().subspan(used_);
    return free.size() >= octets ? free : room();
}

// The first of a reply: what was sent last, and from where, is forgotten.
void Output::append(std::string_view text) {
    if (used_ == 0) small_.reset();
    std::span<char> free = store().subspan(used_);
    if (free.size() < text.size()) free = line_room(text.size());
    ASSERT(free.size() >= text.size());
    std::memcpy(free.data(), text.data(), text.size());
    wrote(text.size());
}

bool Output::write(std::string_view text) {
    if (BufferPool::buffer_octets - used_ < text.size()) return false;
    append(text);
    return true;
}

void Output::reply(pop3::Reply reply) {
    char text[pop3::short_line_octets_max];
    append({text, pop3::write_reply(reply, text)});
}

void Output::line(std::string_view text) {
    ASSERT(text.size() + 2 <= pop3::response_line_octets_max);
    append(text);
    append("\r\n");
}

void Output::stat(std::uint32_t count, pop3::Octets octets) {
    char text[pop3::short_line_octets_max];
    append({text, pop3::write_stat(count, octets, text)});
}

void Output::octets(pop3::Octets octets) {
    char text[pop3::short_line_octets_max];
    append({text, pop3::write_octets(octets, text)});
}

void Output::terminate() { append(pop3::termination); }

std::span<const char> Output::take_small() {
    if (buffer_.is_held() || used_ == 0) return {};
    ++sends_;
    return store().first(std::exchange(used_, 0));
}

Task<Result<void>> Output::flush() {
    Result<void> sent = co_await send(true);
    co_return sent;
}

Task<Result<void>> Output::send(bool more) {
    if (used_ == 0) co_return Result<void>();
    trim();
    const std::int64_t result = co_await stream_.send(store().first(used_), more, deadline());
    co_return sent(result);
}

Task<Result<std::uint64_t>> Output::send_file(FilePart part, FileSending sending) {
    const Result<void> flushed = co_await send(true);
    if (!flushed) co_return std::unexpected(flushed.error());
    ++sends_;
    const std::int64_t sent = co_await stream_.send_file(part, sending, deadline());
    if (sent < 0) co_return std::unexpected(error_of_errno(static_cast<int>(-sent), "send file"));
    co_return static_cast<std::uint64_t>(sent);
}

Task<Result<void>> Output::send_memory(std::span<const char> octets, bool zero_copy) {
    const Result<void> flushed = co_await send(true);
    if (!flushed) co_return flushed;
    ++sends_;
    std::int64_t sent = 0;
    if (zero_copy) {
        sent = co_await stream_.send_zero_copy(octets, deadline());
    } else {
        sent = co_await stream_.send(octets, true, deadline());
    }
    if (sent < 0) co_return std::unexpected(error_of_errno(static_cast<int>(-sent), "send"));
    co_return Result<void>();
}

Task<Result<void>> Output::send_last(Instant deadline) {
    if (used_ == 0) co_return Result<void>();
    trim();
    const std::int64_t result = co_await stream_.send_last(store().first(used_), deadline);
    co_return sent(result);
}

Result<void> Output::sent(std::int64_t result) {
    used_ = 0;
    ++sends_;
    buffer_.reset();
    small_.reset();
    if (result < 0) return std::unexpected(error_of_errno(static_cast<int>(-result), "send"));
    return {};
}

bool Output::take_back(Mark mark) {
    if (mark.sends != sends_) return false;
    used_ = mark.used;
    return true;
}

}  // namespace restante
