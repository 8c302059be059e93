#pragma once
/// The octets of `restante.index`, and whether a file is one. For index_file.cc only.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "maildir/index_file.h"
#include "maildir/maildir_name.h"
#include "pop3/limits.h"
#include "pop3/message_meter.h"

namespace restante::index_layout {

inline constexpr std::string_view magic = "restante";
inline constexpr std::uint32_t byte_order_mark = 0x01020304;
/// Another version is another file: it is made anew.
inline constexpr std::uint32_t format_version = 4;

inline constexpr std::uint64_t exists_bit = 1;
inline constexpr std::uint64_t trusted_bit = 2;

inline constexpr std::uint32_t unmeasured_bit = 1;  ///< in Header::bits

struct IdentityRecord {
    std::uint64_t device;
    std::uint64_t inode;
    std::uint64_t octets;
    std::int64_t modified_nanoseconds;
    std::int64_t changed_nanoseconds;
    std::uint64_t bits;
};

struct Header {
    char magic[8];
    std::uint32_t byte_order;
    std::uint32_t version;
    std::uint64_t checksum;  ///< XXH3-64 of all octets after it
    std::uint64_t octets;    ///< of all messages, as clients count
    std::uint32_t count;
    std::uint32_t retired_count;
    std::uint32_t dot_numbers;
    std::uint32_t text_octets;
    std::uint64_t policy;
    std::uint32_t generation;
    std::uint32_t bits;
    IdentityRecord fresh;
    IdentityRecord current;
    IdentityRecord dovecot_uidlist;
    IdentityRecord courier_sizelist;
};
static_assert(sizeof(Header) == 256, "no padding");

inline constexpr unsigned octets_bits = 48;
static_assert(message_octets_max == (std::uint64_t{1} << octets_bits) - 1);

/// What numbers of octets leave of their words holds all small fields.
struct MessageRecord {
    std::uint64_t inode;
    std::int64_t modified_nanoseconds;  ///< of the file when it was measured, 0 = may have changed
    std::uint64_t stored_octets : octets_bits;
    std::uint64_t name_octets : 11;
    std::uint64_t id_kind : 2;  ///< UniqueIdKind
    std::uint64_t is_current : 1;
    std::uint64_t is_wire_ready : 1;
    std::uint64_t id_follows : 1;  ///< it lies behind the name; else the name begins with it
    std::uint64_t octets : octets_bits;
    std::uint64_t base_octets : 16;
    std::uint64_t header_octets : octets_bits;
    std::uint64_t id_octets : 16;
    std::uint32_t name_at;  ///< in the text
    /// 0: none; else dot number `dots_after` - 1 is their count, and the first positions follow.
    std::uint32_t dots_after;

    std::uint64_t id_at() const {
        return std::uint64_t{name_at} + (id_follows != 0 ? name_octets : 0);
    }
};
static_assert(sizeof(MessageRecord) == 48, "no padding");
static_assert(file_name_octets_max < 1U << 11U);

struct RetiredRecord {
    std::uint64_t inode;
    std::uint32_t id_at;
    std::uint32_t id_octets;
};
static_assert(sizeof(RetiredRecord) == 16, "no padding");

/// Where each part of the file begins.
struct Sections {
    std::size_t retired_at;
    std::size_t dots_at;
    std::size_t text_at;
    std::size_t end;
};

/// How many positions follow a count of stuffed dots.
constexpr std::size_t recorded_dots(std::uint64_t stuffed_dots) {
    return static_cast<std::size_t>(
        std::min<std::uint64_t>(stuffed_dots, pop3::stuffed_dots_recorded_max));
}

std::uint64_t checksum_of(std::span<const char> file);
/// Nothing where magic, byte order, version or checksum are not what they must be.
std::optional<Header> checked_header(std::span<const char> file);
/// Nothing where a number is too large to be true. `end` may still not be the file's.
std::optional<Sections> sections_of(const Header& header);
/// Everything behind a right checksum that reading relies on.
bool is_content_valid(std::span<const char> file, const Header& header, const Sections& sections);

}  // namespace restante::index_layout
