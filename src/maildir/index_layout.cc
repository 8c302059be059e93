#include "maildir/index_layout.h"

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "maildir/checksum.h"
#include "maildir/index_file.h"
#include "maildir/maildir_name.h"
#include "pop3/limits.h"
#include "pop3/types.h"

namespace restante::index_layout {

namespace {

constexpr std::size_t checksummed_from = offsetof(Header, checksum) + sizeof(Header::checksum);

// What all octets of the text have in common; where it answers, no name or id has to be looked at.
struct TextTraits {
    bool may_be_ids;    // 0x21..0x7E
    bool may_be_names;  // no '/', no NUL
};

// A block at a time, each of its octets by itself, in plain arrays: so that it becomes vector code,
// with assertions in the standard library too.
TextTraits traits_of(std::string_view text) {
    static constexpr std::size_t lanes = 64;
    std::uint8_t least[lanes];
    std::uint8_t greatest[lanes] = {};
    std::uint8_t slashes[lanes] = {};
    std::ranges::fill(least, 0xFF);
    const auto* octets = reinterpret_cast<const std::uint8_t*>(text.data());
    const auto look = [&](std::size_t lane, std::uint8_t octet) {
        least[lane] = std::min(least[lane], octet);
        greatest[lane] = std::max(greatest[lane], octet);
        slashes[lane] |= static_cast<std::uint8_t>(octet == '/');
    };
    const std::size_t whole = text.size() / lanes * lanes;
    for (std::size_t block = 0; block < whole; block += lanes) {
        for (std::size_t lane = 0; lane < lanes; ++lane) look(lane, octets[block + lane]);
    }
    for (std::size_t at = whole; at < text.size(); ++at) look(0, octets[at]);
    const bool any_slash = std::ranges::max(slashes) != 0;
    const std::uint8_t least_of_all = std::ranges::min(least);
    return {least_of_all >= 0x21 && std::ranges::max(greatest) <= 0x7E,
            least_of_all > 0 && !any_slash};
}

template <class Record>
Record record_at(std::span<const char> octets, std::size_t at) {
    static_assert(std::is_trivially_copyable_v<Record>);
    Record record;
    std::memcpy(&record, octets.data() + at * sizeof record, sizeof record);
    return record;
}

/// The parts of a file whose sections add up to its length.
class Contents {
public:
    Contents(std::span<const char> file, const Header& header, const Sections& sections)
        : header_(header),
          messages_(file.subspan(sizeof(Header), sections.retired_at - sizeof(Header))),
          retired_(file.subspan(sections.retired_at, sections.dots_at - sections.retired_at)),
          dots_(file.subspan(sections.dots_at, sections.text_at - sections.dots_at)),
          text_(file.data() + sections.text_at, sections.end - sections.text_at),
          traits_(traits_of(text_)) {}

    bool are_messages_valid() const;
    bool are_retired_valid() const;

private:
    bool is_valid(const MessageRecord& record) const;
    bool is_name(std::uint64_t at, std::uint64_t octets, std::uint64_t base_octets) const;
    bool is_id(std::uint64_t at, std::uint64_t octets) const;
    bool are_dots_valid(const MessageRecord& record) const;

    const Header& header_;
    std::span<const char> messages_;
    std::span<const char> retired_;
    std::span<const char> dots_;
    std::string_view text_;
    TextTraits traits_;
};

bool Contents::are_messages_valid() const {
    std::uint64_t octets = 0;
    for (std::uint32_t at = 0; at < header_.count; ++at) {
        const auto record = record_at<MessageRecord>(messages_, at);
        if (!is_valid(record)) return false;
        octets += record.octets;
    }
    return octets == header_.octets;
}

bool Contents::are_retired_valid() const {
    for (std::uint32_t at = 0; at < header_.retired_count; ++at) {
        const auto record = record_at<RetiredRecord>(retired_, at);
        if (!is_id(record.id_at, record.id_octets)) return false;
    }
    return true;
}

bool Contents::is_valid(const MessageRecord& record) const {
    static constexpr auto last_kind = static_cast<unsigned>(UniqueIdKind::foreign);
    if (record.id_kind > last_kind) return false;
    if (record.header_octets > record.stored_octets) return false;
    const bool is_id_own = record.id_follows != 0 || record.id_octets <= record.name_octets;
    return is_id_own && is_name(record.name_at, record.name_octets, record.base_octets) &&
           is_id(record.id_at(), record.id_octets) &&
           (record.dots_after == 0 || are_dots_valid(record));
}

bool Contents::is_name(std::uint64_t at, std::uint64_t octets, std::uint64_t base_octets) const {
    if (octets == 0 || octets > file_name_octets_max || at + octets > text_.size()) return false;
    const std::string_view name = text_.substr(at, octets);
    if (base_octets > octets || (base_octets < octets && name[base_octets] != ':')) return false;
    return traits_.may_be_names || (!name.contains('/') && !name.contains('\0'));
}

bool Contents::is_id(std::uint64_t at, std::uint64_t octets) const {
    if (octets == 0 || octets > pop3::unique_id_octets_max || at + octets > text_.size())
        return false;
    return traits_.may_be_ids || pop3::is_unique_id(text_.substr(at, octets));
}

bool Contents::are_dots_valid(const MessageRecord& record) const {
    const std::uint64_t numbers = dots_.size() / sizeof(std::uint64_t);
    if (record.dots_after > numbers || record.is_wire_ready != 0) return false;
    const auto stuffed_dots = record_at<std::uint64_t>(dots_, record.dots_after - 1);
    const std::size_t recorded = recorded_dots(stuffed_dots);
    if (stuffed_dots == 0 || recorded > numbers - record.dots_after) return false;
    std::uint64_t least = 0;
    for (std::size_t dot = 0; dot < recorded; ++dot) {
        const auto position = record_at<std::uint64_t>(dots_, record.dots_after + dot);
        if (position < least || position >= record.stored_octets) return false;
        least = position + 1;
    }
    return true;
}

}  // namespace

std::uint64_t checksum_of(std::span<const char> file) {
    return checksum64(file.subspan(checksummed_from));
}

std::optional<Header> checked_header(std::span<const char> file) {
    if (file.size() < sizeof(Header)) return std::nullopt;
    const auto header = record_at<Header>(file, 0);
    if (std::string_view(header.magic, sizeof header.magic) != magic) return std::nullopt;
    if (header.byte_order != byte_order_mark || header.version != format_version)
        return std::nullopt;
    if (header.checksum != checksum_of(file)) return std::nullopt;
    return header;
}

std::optional<Sections> sections_of(const Header& header) {
    static constexpr std::uint64_t dot_numbers_max =
        std::uint64_t{indexed_messages_max} * (1 + pop3::stuffed_dots_recorded_max);
    static_assert(dot_numbers_max <= UINT32_MAX);
    if (header.count > indexed_messages_max || header.dot_numbers > dot_numbers_max)
        return std::nullopt;
    Sections sections{};
    sections.retired_at = sizeof(Header) + std::size_t{header.count} * sizeof(MessageRecord);
    sections.dots_at = sections.retired_at + header.retired_count * sizeof(RetiredRecord);
    sections.text_at = sections.dots_at + std::size_t{header.dot_numbers} * sizeof(std::uint64_t);
    sections.end = sections.text_at + header.text_octets;
    return sections;
}

bool is_content_valid(std::span<const char> file, const Header& header, const Sections& sections) {
    if (sections.end != file.size()) return false;
    const Contents contents(file, header, sections);
    return contents.are_messages_valid() && contents.are_retired_valid();
}

}  // namespace restante::index_layout
