#include "maildir/maildrop_path.h"

#include <utility>

namespace restante {
namespace {

constexpr std::size_t component_octets_max = 255;

bool is_safe_component(std::string_view text) {
    if (text.empty() || text.size() > component_octets_max || text.front() == '.') return false;
    for (const char c : text) {
        const auto octet = static_cast<unsigned char>(c);
        if (c == '/' || octet < 0x20 || octet == 0x7F) return false;
    }
    return true;
}

}  // namespace

/// What `rest` begins with: a placeholder, or the text before the next one.
std::expected<MaildropPath::Part, std::string> MaildropPath::parse_part(std::string_view rest) {
    if (!rest.starts_with('{'))
        return Part{Kind::text, std::string(rest.substr(0, rest.find('{')))};
    static constexpr std::pair<Kind, std::string_view> placeholders[] = {{Kind::user, "{user}"},
                                                                         {Kind::local, "{local}"},
                                                                         {Kind::domain, "{domain}"},
                                                                         {Kind::home, "{home}"}};
    for (const auto& [kind, name] : placeholders) {
        if (rest.starts_with(name)) return Part{kind, std::string(name)};
    }
    return std::unexpected("only {user}, {local}, {domain} and {home} can stand in it");
}

std::expected<MaildropPath, std::string> MaildropPath::parse(std::string_view path_template) {
    MaildropPath path;
    for (std::string_view rest = path_template; !rest.empty();) {
        std::expected<Part, std::string> part = parse_part(rest);
        if (!part) return std::unexpected(part.error());
        if (part->kind == Kind::home && !path.parts_.empty()) {
            return std::unexpected("{home} is a whole path and can only stand at the beginning");
        }
        rest.remove_prefix(part->text.size());
        path.parts_.push_back(*std::move(part));
    }
    const bool is_below_home = !path.parts_.empty() && path.parts_.front().kind == Kind::home;
    if (!is_below_home && !path_template.starts_with('/')) {
        return std::unexpected("it must be an absolute path");
    }
    const std::string_view fixed = path_template.substr(0, path_template.find('{'));
    path.root_ = fixed.substr(0, fixed.rfind('/'));
    if (path.root_.empty()) path.root_ = "/";
    return path;
}

std::string_view MaildropPath::value_of(const Part& part, const MaildropOwner& owner) {
    switch (part.kind) {
        case Kind::text: return part.text;
        case Kind::user: return owner.user;
        case Kind::home: return owner.home;
        case Kind::local: return owner.user.substr(0, owner.user.rfind('@'));
        case Kind::domain: break;
    }
    const std::size_t at = owner.user.rfind('@');
    return at == std::string_view::npos ? std::string_view() : owner.user.substr(at + 1);
}

std::expected<std::string, std::string> MaildropPath::expand(const MaildropOwner& owner) const {
    if (!owner.maildrop.empty()) return std::string(owner.maildrop);
    std::string path;
    for (const Part& part : parts_) {
        const std::string_view value = value_of(part, owner);
        const bool is_home = part.kind == Kind::home;
        const bool is_safe = part.kind == Kind::text ||
                             (is_home ? value.starts_with('/') : is_safe_component(value));
        if (!is_safe) {
            return std::unexpected(part.text + " of [storage] maildir is " +
                                   (is_home ? "no absolute path" : "empty or unsafe") +
                                   " for this user");
        }
        path += value;
    }
    return path;
}

}  // namespace restante
