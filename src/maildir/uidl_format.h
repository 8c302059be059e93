#pragma once
/// `[pop3] dovecot_uidl_format`: the former configuration's pop3_uidl_format, in the syntax of
/// Dovecot 2.3
/// ("%08Xu%08Xv") or 2.4 ("%{uid | hex(8)}%{uidvalidity | hex(8)}").

#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace restante {

/// What a format can name. Only what it needs (needs_uid(), needs_uidvalidity()) has to be right.
struct UidlValues {
    std::uint32_t uid = 0;
    std::uint32_t uidvalidity = 0;
    std::string_view base;  ///< file name up to ':', with ,S= and ,W=
    std::string_view guid;  ///< the list's; empty: the base name is it
};

/// Variables: uid (%u), uidvalidity (%v), filename (%f), guid (%g). 2.3: [offset.]width before the
/// modifiers X M L U R, a width with a leading 0 pads and without one cuts, X gives lower-case
/// hex. 2.4: filters hex(width), md5, hexlify, lower, upper. `%%` is '%'.
class UidlFormat {
public:
    /// Dovecot's default.
    UidlFormat();
    /// The error is a sentence for the operator: what is not understood, and why.
    static std::expected<UidlFormat, std::string> compile(std::string_view format);

    /// False: files that no list knows have such an id too.
    bool needs_uid() const { return needs_uid_; }
    bool needs_uidvalidity() const { return needs_uidvalidity_; }
    /// Need not be a unique-id of RFC 1939 (too long, 8-bit names).
    std::string expand(const UidlValues& values) const;
    /// As compiled.
    const std::string& text() const { return text_; }

    enum class Variable : std::uint8_t { literal, uid, uidvalidity, filename, guid };
    struct Step {
        enum class Kind : std::uint8_t {
            hex,  ///< a number, lower-case
            md5,  ///< in hex
            lower,
            upper,
            reverse,
            skip_first,  ///< `count` octets
            keep_first,
            keep_last,
            pad,  ///< with '0' on the left to `count` octets
        };
        Kind kind;
        std::size_t count = 0;
    };
    struct Piece {
        Variable variable = Variable::literal;
        std::string literal;
        std::vector<Step> steps;  ///< in order
    };

private:
    explicit UidlFormat(std::string_view text, std::vector<Piece> pieces);

    std::string text_;
    std::vector<Piece> pieces_;
    bool needs_uid_ = false;
    bool needs_uidvalidity_ = false;
};

}  // namespace restante
