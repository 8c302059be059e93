#include "session/output.h"

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

char* Output::line_room() {
    const bool fits = small_octets - used_ >= pop3::response_line_octets_max;
    if (!buffer_.is_held() && used_ <= small_octets && fits) return small_ + used_;
    const std::span<char> free = room();
    ASSERT(free.size() >= pop3::response_line_octets_max);
    return free.data();
}

void Output::reply(pop3::Reply reply) { used_ += pop3::write_reply(reply, line_room()); }

void Output::line(std::string_view text) {
    ASSERT(text.size() + 2 <= pop3::response_line_octets_max);
    char* target = line_room();
    std::memcpy(target, text.data(), text.size());
    std::memcpy(target + text.size(), "\r\n", 2);
    used_ += text.size() + 2;
}

void Output::stat(std::uint32_t count, pop3::Octets octets) {
    used_ += pop3::write_stat(count, octets, line_room());
}

void Output::octets(pop3::Octets octets) { used_ += pop3::write_octets(octets, line_room()); }

void Output::scan_listing(pop3::MessageNumber number, pop3::Octets octets, bool ok) {
    used_ += pop3::write_scan_listing(number, octets, ok, line_room());
}

void Output::unique_id_listing(pop3::MessageNumber number, std::string_view unique_id, bool ok) {
    used_ += pop3::write_unique_id_listing(number, unique_id, ok, line_room());
}

void Output::terminate() {
    std::memcpy(line_room(), pop3::termination.data(), pop3::termination.size());
    used_ += pop3::termination.size();
}

std::optional<std::span<const char>> Output::take_small() {
    if (buffer_.is_held() || used_ == 0) return std::nullopt;
    return std::span<const char>(small_).first(std::exchange(used_, 0));
}

Task<Result<void>> Output::flush() {
    Result<void> sent = co_await send(true);
    co_return sent;
}

Task<Result<void>> Output::send(bool more) {
    if (used_ == 0) co_return Result<void>();
    const std::span<const char> pending =
        buffer_.is_held() ? buffer_.octets().first(used_) : std::span<char>(small_).first(used_);
    const std::int64_t sent = co_await stream_.send(pending, more, ring_.now() + stall_max_);
    used_ = 0;
    buffer_.reset();
    if (sent < 0) co_return std::unexpected(error_of_errno(static_cast<int>(-sent), "send"));
    co_return Result<void>();
}

}  // namespace restante
