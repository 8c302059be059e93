#pragma once
/// From a user to a path: [storage] maildir.

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "maildir/store.h"

namespace restante {

/// A path template with {user} {local} {domain} {home}. What comes from a user name passes an
/// allow-list: no '/', no leading '.', no control octets, not empty, at most 255 octets; {home} is
/// the operator's own word.
class MaildropPath {
public:
    /// `path_template` is absolute, or starts with "{home}". The error is a sentence for an
    /// operator.
    static std::expected<MaildropPath, std::string> parse(std::string_view path_template);

    /// The folder that must exist before any maildrop can (the mail root): the template up to the
    /// last '/' before its first placeholder. "/" where it starts with {home}.
    const std::string& root() const { return root_; }

    /// The absolute path of `owner`'s maildrop. The error says why there is none.
    std::expected<std::string, std::string> expand(const MaildropOwner& owner) const;

private:
    enum class Kind : std::uint8_t { text, user, local, domain, home };
    struct Part {
        Kind kind;
        std::string text;  ///< as the template has it
    };
    MaildropPath() = default;
    static std::expected<Part, std::string> parse_part(std::string_view rest);
    static std::string_view value_of(const Part& part, const MaildropOwner& owner);

    std::vector<Part> parts_;  ///< of the template, in its order
    std::string root_;
};

}  // namespace restante
