#pragma once
/// What the server says in one line. Texts are literals of ours and numbers: no client octet can be
/// echoed.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "pop3/types.h"

namespace pop3 {

/// RFC 2449 §8, RFC 3206 §4.
enum class ResponseCode : std::uint8_t { none, in_use, sys_temp, sys_perm, auth };

/// A status line. `text` must outlive the Reply; a string literal does.
class Reply {
public:
    static constexpr Reply ok(std::string_view text = {}) {
        return Reply(true, ResponseCode::none, text);
    }
    static constexpr Reply err(std::string_view text) {
        return Reply(false, ResponseCode::none, text);
    }
    static constexpr Reply err(ResponseCode code, std::string_view text) {
        return Reply(false, code, text);
    }

    constexpr bool is_ok() const { return ok_; }
    constexpr ResponseCode code() const { return code_; }
    constexpr std::string_view text() const { return text_; }

private:
    constexpr Reply(bool ok, ResponseCode code, std::string_view text)
        : ok_(ok), code_(code), text_(text) {}
    bool ok_;
    ResponseCode code_;
    std::string_view text_;
};

/// Each writes one whole line, CRLF included, to `target`, which has room for it: of lines with
/// numbers and unique-ids no more than short_line_octets_max. Returns the octets written.
std::size_t write_reply(Reply reply, std::span<char> target);
/// "+OK 2 320" (RFC 1939 §5, STAT).
std::size_t write_stat(std::uint64_t count, Octets octets, std::span<char> target);
/// "+OK 320 octets" (RETR).
std::size_t write_octets(Octets octets, std::span<char> target);
/// "2 200", the scan listing (RFC 1939 §5, LIST); with `ok` as the answer to LIST n: "+OK 2 200".
std::size_t write_scan_listing(MessageNumber number, Octets octets, bool ok,
                               std::span<char> target);
/// "2 QhdPYR:00WBw1Ph7x7", the unique-id listing (RFC 1939 §7, UIDL). `unique_id` has passed
/// is_unique_id(): of its octets nothing is looked at here.
std::size_t write_unique_id_listing(MessageNumber number, std::string_view unique_id, bool ok,
                                    std::span<char> target);

/// Ends a multi-line response that is at the start of a line (RFC 1939 §3).
inline constexpr std::string_view termination = ".\r\n";

}  // namespace pop3
