#pragma once
/// What the name of a file in a Maildir says:
///   <sec>.<unique>.<host>[,S=<octets>][,W=<octets>][:2,<flags>]
/// "Base name" is the name up to its first ':'; it stays when flags change or the file moves from
/// new/ to cur/.

#include <compare>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace restante {

/// Longest file name of a message: 255 characters of up to four octets, where Linux's file systems
/// stop. FUSE's may go on; a maildrop with a longer name is refused, so that no message looks gone.
inline constexpr std::size_t file_name_octets_max = 1023;

/// The name up to its first ':', or all of it. May be empty (":2,S").
std::string_view base_name(std::string_view file_name);

/// Names that begin with '.' (".", "..", Maildir++ folders, temporary files of some writers) are
/// never messages.
bool is_message_name(std::string_view file_name);

/// The order of messages in a maildrop: numeric time prefix (none counts as 0), then microseconds
/// (the number after 'M' in the second component, alone or after other codes such as Postfix's
/// V...I...; none counts as 0), then the octets of the base name. Numbers of any length. Views into
/// the name it was made from.
class ArrivalKey {
public:
    enum class Precision : std::uint8_t {
        microseconds,
        seconds,  ///< as Courier: then the octets of the base name
    };
    explicit ArrivalKey(std::string_view base, Precision precision = Precision::microseconds);
    friend std::strong_ordering operator<=>(const ArrivalKey& a, const ArrivalKey& b);
    friend bool operator==(const ArrivalKey& a, const ArrivalKey& b) { return a.base_ == b.base_; }

private:
    std::string_view seconds_;  // digits without leading zeros
    std::string_view microseconds_;
    std::string_view base_;
};

/// `base` without its `,S=<digits>` and `,W=<digits>` parts (a number ends at ',' or the end). The
/// result is a part of `base` or of `scratch`, and lives as long as both are unchanged.
std::string_view name_for_unique_id(std::string_view base, std::string& scratch);

/// The unique-id of a file that nobody knows, a function of its base name alone:
/// name_for_unique_id() when that is a unique-id, else name_hash_unique_id() of it. Lives as
/// name_for_unique_id()'s result.
std::string_view derived_unique_id(std::string_view base, std::string& scratch);

/// The same for `unique_id = "filename"`: the whole base name, sizes included, when that is a
/// unique-id (1-70 octets of 0x21..0x7E, RFC 1939 §7).
std::string_view filename_unique_id(std::string_view base, std::string& scratch);

/// 32 lower-case hex digits: the first 16 octets of the SHA-256 of `name`.
std::string name_hash_unique_id(std::string_view name);

}  // namespace restante
