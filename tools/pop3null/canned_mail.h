#pragma once
/// The one maildrop that everybody finds, made before the first client comes.

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"

namespace pop3null {

/// A message as RETR sends it: byte-stuffed, with the termination octet and its CRLF.
struct WireMessage {
    std::uint64_t octets;       ///< as LIST says: un-stuffed, without the termination
    off_t wire_at;              ///< in the file
    std::size_t wire_octets;    ///< in the file
    std::size_t header_octets;  ///< of those: up to and with the blank line
};

/// Immutable. The messages lie in one file in memory, one after the other.
class CannedMail {
public:
    /// `count` messages of these `sizes`, which are taken in turn (one at least), as pop3load's
    /// seeder makes them.
    static std::expected<CannedMail, std::string> seeded(std::uint32_t count,
                                                         std::span<const std::uint64_t> sizes);
    /// `count` times the message in the file `path`, whose lines end in LF or CRLF.
    static std::expected<CannedMail, std::string> from_file(std::uint32_t count,
                                                            const std::string& path);
    CannedMail(CannedMail&&) = default;
    CannedMail(const CannedMail&) = delete;
    CannedMail& operator=(const CannedMail&) = delete;

    std::size_t count() const { return messages_.size(); }
    /// `number` is 1 to count().
    const WireMessage& message(std::size_t number) const { return messages_[number - 1]; }
    int file() const { return file_.get(); }
    std::string_view wire(const WireMessage& message) const {
        return {memory_ + message.wire_at, message.wire_octets};
    }
    /// Whole answers.
    const std::string& stat() const { return stat_; }
    const std::string& list() const { return list_; }
    const std::string& uidl() const { return uidl_; }

private:
    CannedMail() = default;
    /// Appends a message, whose lines end in LF or CRLF, to `wire`.
    void add(std::string_view text, std::string& wire);
    std::expected<void, std::string> keep(const std::string& wire);
    void write_answers();

    restante::Fd file_;
    const char* memory_ = nullptr;  // the file, mapped until the program ends
    std::vector<WireMessage> messages_;
    std::string stat_;
    std::string list_;
    std::string uidl_;
};

/// Of message `number`: the same whenever and wherever it runs.
std::string unique_id(std::size_t number);

}  // namespace pop3null
