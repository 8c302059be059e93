#pragma once
/// Whom the sessions log in as.

#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "options.h"

namespace pop3load {

/// Users in order, at least one, no two of one name. Immutable: threads may share it. Every error
/// is a sentence without a full stop.
class Users {
public:
    /// Of `users_file` where that is set, else numbered.
    static std::expected<Users, std::string> from(const Options& options);
    /// `format` with {} for 0 to `count` - 1; without {} there is one user only.
    static std::expected<Users, std::string> numbered(std::string_view format, std::uint32_t count,
                                                      std::string_view password);
    /// Lines "NAME PASSWORD": the password is what follows the first blank, with the blanks in it
    /// and at its end. Empty lines and those that begin with `#` are skipped. The error names the
    /// line.
    static std::expected<Users, std::string> parse(std::string_view text);

    std::size_t count() const { return entries_.size(); }
    /// Valid as long as this, wherever it is moved to. `index` < count().
    std::string_view name(std::size_t index) const;
    std::string_view password(std::size_t index) const;

private:
    struct Entry {
        std::uint64_t name_at;  // into text_, as is password_at
        std::uint64_t password_at;
        std::uint16_t name_octets;
        std::uint16_t password_octets;
    };
    Users() = default;

    std::vector<char> text_;  // not a string: moved, it stays where it is
    std::vector<Entry> entries_;
};

}  // namespace pop3load
