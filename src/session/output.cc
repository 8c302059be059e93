#include "session/output.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "pop3/limits.h"

namespace restante {

std::span<char> Output::room() {
    if (!buffer_.is_held()) {
        buffer_ = buffers_.acquire();
        std::memcpy(buffer_.octets().data(), small_, used_);
    }
    return buffer_.octets().subspan(used_);
}

std::span<char> Output::line_room(std::size_t octets) {
    const bool is_small = !buffer_.is_held() && small_octets - used_ >= octets;
    const std::span<char> free = is_small ? std::span(small_).subspan(used_) : room();
    ASSERT(free.size() >= octets);
    return free;
}

bool Output::write(std::string_view text) {
    if (BufferPool::buffer_octets - used_ < text.size()) return false;
    std::ranges::copy(text, line_room(text.size()).begin());
    used_ += text.size();
    return true;
}

void Output::reply(pop3::Reply reply) {
    used_ += pop3::write_reply(reply, line_room(pop3::short_line_octets_max));
}

void Output::line(std::string_view text) {
    ASSERT(text.size() + 2 <= pop3::response_line_octets_max);
    char* target = line_room(text.size() + 2).data();
    std::memcpy(target, text.data(), text.size());
    std::memcpy(target + text.size(), "\r\n", 2);
    used_ += text.size() + 2;
}

void Output::stat(std::uint32_t count, pop3::Octets octets) {
    used_ += pop3::write_stat(count, octets, line_room(pop3::short_line_octets_max));
}

void Output::octets(pop3::Octets octets) {
    used_ += pop3::write_octets(octets, line_room(pop3::short_line_octets_max));
}

void Output::terminate() { ASSERT(write(pop3::termination)); }

std::span<const char> Output::take_small() {
    if (buffer_.is_held() || used_ == 0) return {};
    ++sends_;
    return std::span<const char>(small_).first(std::exchange(used_, 0));
}

Task<Result<void>> Output::flush() {
    Result<void> sent = co_await send(true);
    co_return sent;
}

Task<Result<void>> Output::send(bool more) {
    if (used_ == 0) co_return Result<void>();
    const std::int64_t sent = co_await stream_.send(pending(), more, deadline());
    co_return finish(sent);
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
    const std::int64_t sent = co_await stream_.send_last(pending(), deadline);
    co_return finish(sent);
}

std::span<const char> Output::pending() const {
    return buffer_.is_held() ? buffer_.octets().first(used_) : std::span(small_).first(used_);
}

Result<void> Output::finish(std::int64_t sent) {
    used_ = 0;
    ++sends_;
    buffer_.reset();
    if (sent < 0) return std::unexpected(error_of_errno(static_cast<int>(-sent), "send"));
    return {};
}

bool Output::take_back(Mark mark) {
    if (mark.sends != sends_) return false;
    used_ = mark.used;
    return true;
}

}  // namespace restante
