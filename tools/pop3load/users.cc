#include "users.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <unordered_map>

#include "base/assert.h"
#include "pop3/limits.h"
#include "text_file.h"

namespace pop3load {
namespace {

constexpr std::string_view placeholder = "{}";
/// What "USER name CRLF" leaves of the longest command line.
constexpr std::size_t credential_octets_max = pop3::command_line_octets_max - 7;

/// Why it cannot be said in a command, or empty. `what` is "name" or "password".
std::optional<std::string> fault_of(std::string_view what, std::string_view text) {
    if (text.empty()) return fmt::format("the {} is empty", what);
    if (text.size() > credential_octets_max) {
        return fmt::format("the {} has more than {} octets: no POP3 command can hold it", what,
                           credential_octets_max);
    }
    for (const char c : text) {
        const auto octet = static_cast<unsigned char>(c);
        if (octet >= 0x20 && octet != 0x7F) continue;
        return fmt::format("the {} has a control octet: no POP3 command can hold it", what);
    }
    if (what == "name" && text.find(' ') != std::string_view::npos) {
        return std::string("the name has a blank");
    }
    return std::nullopt;
}

bool is_entry(std::string_view line) { return !line.empty() && line.front() != '#'; }

}  // namespace

std::expected<Users, std::string> Users::from(const Options& options) {
    if (options.users_file.empty()) {
        return numbered(options.user_format, options.user_count, options.password);
    }
    const std::string& path = options.users_file;
    const std::expected<std::string, std::string> text = read_text_file(path);
    if (!text) return std::unexpected(fmt::format("{} cannot be read: {}", path, text.error()));
    std::expected<Users, std::string> users = parse(*text);
    if (!users) return std::unexpected(fmt::format("{}: {}", path, users.error()));
    return users;
}

std::expected<Users, std::string> Users::numbered(std::string_view format, std::uint32_t count,
                                                  std::string_view password) {
    const std::size_t at = format.find(placeholder);
    if (count == 0) return std::unexpected("there is no user: the number of users is 0");
    if (at == std::string_view::npos && count > 1) {
        return std::unexpected(fmt::format(
            "\"{}\" names one user only: put {{}} where the number of each belongs", format));
    }
    const std::string_view before = format.substr(0, at);
    const std::string_view after =
        at == std::string_view::npos ? "" : format.substr(at + placeholder.size());
    Users users;
    users.entries_.reserve(count);
    std::string text(password);
    for (std::uint32_t i = 0; i < count; ++i) {
        const std::uint64_t name_at = text.size();
        text += before;
        if (at != std::string_view::npos) text += fmt::format_int(i).c_str();
        text += after;
        const auto octets =
            static_cast<std::uint16_t>(std::min<std::size_t>(text.size() - name_at, UINT16_MAX));
        users.entries_.push_back({name_at, 0, octets, static_cast<std::uint16_t>(password.size())});
    }
    // The last name is the longest, and they differ in digits only.
    const std::string_view last = std::string_view(text).substr(users.entries_.back().name_at);
    std::optional<std::string> fault = fault_of("name", last);
    if (!fault) fault = fault_of("password", password);
    if (fault) return std::unexpected(fmt::format("user \"{}\": {}", format, *fault));
    users.text_.assign(text.begin(), text.end());
    return users;
}

std::expected<Users, std::string> Users::parse(std::string_view text) {
    Users users;
    users.text_.assign(text.begin(), text.end());
    const std::string_view own(users.text_.data(), users.text_.size());
    std::unordered_map<std::string_view, std::size_t> line_of;
    std::size_t number = 0;
    for (std::size_t at = 0; at < own.size(); ++number) {
        const std::size_t end = std::min(own.find('\n', at), own.size());
        std::string_view line = own.substr(at, end - at);
        if (line.ends_with('\r')) line.remove_suffix(1);
        const std::size_t name_at = at;
        at = end + 1;
        if (!is_entry(line)) continue;
        const std::string_view name = line.substr(0, line.find_first_of(" \t"));
        const std::string_view password = line.substr(std::min(name.size() + 1, line.size()));
        std::optional<std::string> fault = fault_of("name", name);
        if (!fault) fault = fault_of("password", password);
        const auto [known, is_new] = line_of.try_emplace(name, number + 1);
        if (!fault && !is_new) {
            fault = fmt::format("\"{}\" is on line {} already", name, known->second);
        }
        if (fault) return std::unexpected(fmt::format("line {}: {}", number + 1, *fault));
        users.entries_.push_back({name_at, name_at + name.size() + 1,
                                  static_cast<std::uint16_t>(name.size()),
                                  static_cast<std::uint16_t>(password.size())});
    }
    if (users.entries_.empty()) {
        return std::unexpected("there is no user in it: a line is a name, a blank and a password");
    }
    return users;
}

std::string_view Users::name(std::size_t index) const {
    ASSERT(index < entries_.size());
    const Entry& entry = entries_[index];
    return {text_.data() + entry.name_at, entry.name_octets};
}

std::string_view Users::password(std::size_t index) const {
    ASSERT(index < entries_.size());
    const Entry& entry = entries_[index];
    return {text_.data() + entry.password_at, entry.password_octets};
}

}  // namespace pop3load
