#include "canned_mail.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "pop3/byte_stuffer.h"
#include "pop3/message_meter.h"
#include "seed_text.h"
#include "text_file.h"

namespace pop3null {
namespace {

constexpr std::uint64_t mail_octets_max = std::uint64_t{8} << 30;

std::unexpected<std::string> cannot(std::string_view what) {
    return std::unexpected(fmt::format("cannot {}: {}", what, std::strerror(errno)));
}

/// After the blank line; all of `wire` but its termination where there is none.
std::size_t header_octets_of(std::string_view wire) {
    const std::size_t blank = wire.find("\r\n\r\n");
    return blank == std::string_view::npos ? wire.size() - 3 : blank + 4;
}

}  // namespace

std::expected<CannedMail, std::string> CannedMail::seeded(std::uint32_t count,
                                                          std::span<const std::uint64_t> sizes) {
    std::vector<std::uint64_t> octets(count);
    std::uint64_t all = 0;
    for (std::size_t i = 0; i < count; ++i) {
        octets[i] = std::max(sizes[i % sizes.size()], pop3load::seed_octets_min);
        if (octets[i] > mail_octets_max - all) {
            return std::unexpected(
                fmt::format("{} messages of {} octets do not fit into memory: at most {} in all",
                            count, fmt::join(sizes, ", "), mail_octets_max));
        }
        all += octets[i];
    }
    CannedMail mail;
    std::string wire;
    for (std::uint32_t i = 0; i < count; ++i) {
        mail.add(pop3load::seed_message(i, octets[i], pop3load::LineEnds::crlf), wire);
    }
    const auto kept = mail.keep(wire);
    if (!kept) return std::unexpected(kept.error());
    return mail;
}

std::expected<CannedMail, std::string> CannedMail::from_file(std::uint32_t count,
                                                             const std::string& path) {
    const std::expected<std::string, std::string> text = pop3load::read_text_file(path);
    if (!text || text->empty()) {
        return std::unexpected(fmt::format("the message {} is empty or cannot be read", path));
    }
    CannedMail mail;
    std::string wire;
    mail.add(*text, wire);
    const WireMessage message = mail.messages_.front();
    mail.messages_.assign(count, message);
    const auto kept = mail.keep(wire);
    if (!kept) return std::unexpected(kept.error());
    return mail;
}

void CannedMail::add(std::string_view text, std::string& wire) {
    const std::size_t wire_at = wire.size();
    wire.resize(wire_at + 2 * text.size() + pop3::ByteStuffer::finish_octets_max);
    pop3::ByteStuffer stuffer;
    std::size_t end = wire_at;
    end += stuffer.feed(text, {wire.data() + end, wire.size() - end});
    end += stuffer.finish({wire.data() + end, wire.size() - end});
    wire.resize(end);
    pop3::MessageMeter meter;
    meter.feed(text);
    messages_.push_back({meter.finish().octets.value(), static_cast<off_t>(wire_at), end - wire_at,
                         header_octets_of(std::string_view(wire).substr(wire_at))});
}

std::expected<void, std::string> CannedMail::keep(const std::string& wire) {
    const int file = ::memfd_create("pop3null", MFD_CLOEXEC);
    if (file < 0) return cannot("make a file in memory");
    file_ = restante::Fd(file);
    for (std::size_t at = 0; at < wire.size();) {
        const ssize_t written = ::write(file, wire.data() + at, wire.size() - at);
        if (written < 0) return cannot("write the messages into memory");
        at += static_cast<std::size_t>(written);
    }
    if (!wire.empty()) {
        void* mapped = ::mmap(nullptr, wire.size(), PROT_READ, MAP_SHARED, file, 0);
        if (mapped == MAP_FAILED) return cannot("map the messages");
        memory_ = static_cast<const char*>(mapped);
    }
    write_answers();
    return {};
}

void CannedMail::write_answers() {
    std::uint64_t octets = 0;
    for (const WireMessage& message : messages_) octets += message.octets;
    stat_ = fmt::format("+OK {} {}\r\n", count(), octets);
    list_ = fmt::format("+OK {} messages\r\n", count());
    uidl_ = "+OK\r\n";
    for (std::size_t number = 1; number <= count(); ++number) {
        list_ += fmt::format("{} {}\r\n", number, message(number).octets);
        uidl_ += fmt::format("{} {}\r\n", number, unique_id(number));
    }
    list_ += ".\r\n";
    uidl_ += ".\r\n";
}

std::string unique_id(std::size_t number) { return fmt::format("pop3null-{:08}", number); }

}  // namespace pop3null
