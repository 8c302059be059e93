#include "maildir/maildrop_path.h"

#include <array>
#include <optional>

namespace restante {
namespace {

constexpr std::size_t component_octets_max = 255;
constexpr std::array<std::string_view, 4> placeholders = {"{user}", "{local}", "{domain}",
                                                          "{home}"};

bool is_safe_component(std::string_view text) {
    if (text.empty() || text.size() > component_octets_max || text.front() == '.') return false;
    for (const char c : text) {
        const auto octet = static_cast<unsigned char>(c);
        if (c == '/' || octet < 0x20 || octet == 0x7F) return false;
    }
    return true;
}

/// The placeholder that `text` starts with.
std::optional<std::string_view> placeholder_at(std::string_view text) {
    for (const std::string_view placeholder : placeholders) {
        if (text.starts_with(placeholder)) return placeholder;
    }
    return std::nullopt;
}

std::string_view value_of(std::string_view placeholder, const MaildropOwner& owner) {
    const std::size_t at = owner.user.rfind('@');
    if (placeholder == "{user}") return owner.user;
    if (placeholder == "{home}") return owner.home;
    if (placeholder == "{local}") return owner.user.substr(0, at);
    return at == std::string_view::npos ? std::string_view() : owner.user.substr(at + 1);
}

}  // namespace

std::expected<MaildropPath, std::string> MaildropPath::parse(std::string_view path_template) {
    for (std::size_t at = path_template.find('{'); at != std::string_view::npos;
         at = path_template.find('{', at + 1)) {
        if (!placeholder_at(path_template.substr(at))) {
            return std::unexpected("only {user}, {local}, {domain} and {home} can stand in it");
        }
        if (at > 0 && path_template.substr(at).starts_with("{home}")) {
            return std::unexpected("{home} is a whole path and can only stand at the beginning");
        }
    }
    if (path_template.starts_with("{home}")) return MaildropPath(std::string(path_template), "/");
    if (!path_template.starts_with('/')) return std::unexpected("it must be an absolute path");
    const std::size_t fixed = path_template.substr(0, path_template.find('{')).rfind('/');
    const std::string_view root = path_template.substr(0, fixed);
    return MaildropPath(std::string(path_template), root.empty() ? "/" : std::string(root));
}

std::expected<std::string, std::string> MaildropPath::expand(const MaildropOwner& owner) const {
    if (!owner.maildrop.empty()) return std::string(owner.maildrop);
    std::string path;
    for (std::string_view rest = template_; !rest.empty();) {
        const std::optional<std::string_view> placeholder = placeholder_at(rest);
        if (!placeholder) {
            path += rest.front();
            rest.remove_prefix(1);
            continue;
        }
        const std::string_view value = value_of(*placeholder, owner);
        const bool is_home = *placeholder == "{home}";
        if (is_home ? !value.starts_with('/') : !is_safe_component(value)) {
            return std::unexpected(std::string(*placeholder) + " of [storage] maildir is " +
                                   (is_home ? "no absolute path" : "empty or unsafe") +
                                   " for this user");
        }
        path += value;
        rest.remove_prefix(placeholder->size());
    }
    return path;
}

}  // namespace restante
