#pragma once
/// The numbers of the wire, each a type of its own.

#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace pop3 {

/// Octets of a message as the client holds it once byte-stuffing is undone: a bare LF counts as
/// two, a doubled '.' as one, a missing final line end as two (RFC 1939 §11). Not the size of a
/// file.
class Octets {
public:
    constexpr Octets() = default;
    constexpr explicit Octets(std::uint64_t count) : count_(count) {}
    constexpr std::uint64_t value() const { return count_; }
    constexpr Octets& operator+=(Octets other) {
        count_ += other.count_;
        return *this;
    }
    constexpr Octets& operator-=(Octets other) {
        count_ -= other.count_;
        return *this;
    }
    friend constexpr auto operator<=>(Octets, Octets) = default;

private:
    std::uint64_t count_ = 0;
};

/// As the client writes it: decimal, 1-based, assigned when the maildrop is opened and fixed for
/// the session, deleted or not (RFC 1939 §4). "0" does not parse; leading zeros do.
class MessageNumber {
public:
    static std::optional<MessageNumber> parse(std::string_view digits);
    /// `index` counts from 0 and is below 2^32 - 1.
    static constexpr MessageNumber at(std::uint32_t index) { return MessageNumber(index + 1); }
    constexpr std::uint32_t value() const { return value_; }      ///< on the wire, >= 1
    constexpr std::uint32_t index() const { return value_ - 1; }  ///< into a maildrop, >= 0
    friend constexpr auto operator<=>(MessageNumber, MessageNumber) = default;

private:
    constexpr explicit MessageNumber(std::uint32_t value) : value_(value) {}
    std::uint32_t value_;
};

/// How much of the body follows the headers and the blank line, which are always sent (RFC 1939 §7,
/// TOP).
class BodyLines {
public:
    static constexpr BodyLines all() { return BodyLines(std::nullopt); }  ///< RETR
    static constexpr BodyLines first(std::uint64_t count) {
        return BodyLines(count);
    }  ///< TOP; 0 is legal
    /// Decimal, 0 or more; a count beyond 2^64 - 1 is that.
    static std::optional<BodyLines> parse(std::string_view digits);
    constexpr bool is_all() const { return !count_.has_value(); }
    /// Only where !is_all().
    constexpr std::uint64_t count() const { return count_.value(); }

private:
    constexpr explicit BodyLines(std::optional<std::uint64_t> count) : count_(count) {}
    std::optional<std::uint64_t> count_;
};

/// 1 to 70 octets of 0x21..0x7E (RFC 1939 §7).
bool is_unique_id(std::string_view text);

}  // namespace pop3
