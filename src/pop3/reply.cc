#include "pop3/reply.h"

#include <charconv>
#include <cstring>

#include "base/assert.h"
#include "pop3/limits.h"

namespace pop3 {

namespace {

/// Appends to a line.
class LineWriter {
public:
    explicit LineWriter(std::span<char> target) : target_(target) {}

    LineWriter& add(std::string_view text) {
        ASSERT(text.size() <= target_.size() - octets_);
        std::memcpy(target_.data() + octets_, text.data(), text.size());
        octets_ += text.size();
        return *this;
    }
    LineWriter& add(std::uint64_t number) {
        char* target = target_.data();
        const auto [written, failure] =
            std::to_chars(target + octets_, target + target_.size(), number);
        ASSERT(failure == std::errc());
        octets_ = static_cast<std::size_t>(written - target);
        return *this;
    }
    /// Adds the line end; returns the octets of the line.
    std::size_t end() { return add("\r\n").octets_; }

private:
    std::span<char> target_;
    std::size_t octets_ = 0;
};

std::string_view text_of(ResponseCode code) {
    switch (code) {
        case ResponseCode::none: return "";
        case ResponseCode::in_use: return " [IN-USE]";
        case ResponseCode::sys_temp: return " [SYS/TEMP]";
        case ResponseCode::sys_perm: return " [SYS/PERM]";
        case ResponseCode::auth: return " [AUTH]";
    }
    ASSERT(false);
    return "";
}

}  // namespace

std::size_t write_reply(Reply reply, std::span<char> target) {
    LineWriter line(target);
    line.add(reply.is_ok() ? "+OK" : "-ERR").add(text_of(reply.code()));
    if (!reply.text().empty()) line.add(" ").add(reply.text());
    return line.end();
}

std::size_t write_stat(std::uint64_t count, Octets octets, std::span<char> target) {
    return LineWriter(target).add("+OK ").add(count).add(" ").add(octets.value()).end();
}

std::size_t write_octets(Octets octets, std::span<char> target) {
    return LineWriter(target).add("+OK ").add(octets.value()).add(" octets").end();
}

std::size_t write_scan_listing(MessageNumber number, Octets octets, bool ok,
                               std::span<char> target) {
    LineWriter line(target);
    if (ok) line.add("+OK ");
    return line.add(number.value()).add(" ").add(octets.value()).end();
}

std::size_t write_unique_id_listing(MessageNumber number, std::string_view unique_id, bool ok,
                                    std::span<char> target) {
    ASSERT(!unique_id.empty() && unique_id.size() <= unique_id_octets_max);
    LineWriter line(target);
    if (ok) line.add("+OK ");
    return line.add(number.value()).add(" ").add(unique_id).end();
}

}  // namespace pop3
