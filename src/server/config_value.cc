#include "server/config_value.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <expected>

#include "base/assert.h"
#include "base/log.h"
#include "base/nearest_name.h"
#include "maildir/uidl_format.h"

namespace restante {
namespace {

constexpr std::size_t text_octets_max = 4096;  // PATH_MAX
constexpr std::size_t name_octets_max = 32;    // of a listener, a backend, log.ident
constexpr std::size_t host_octets_max = 255;   // RFC 1035 §2.3.4

constexpr std::string_view ascii_digits = "0123456789";
constexpr std::string_view ascii_letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

bool consists_of_name_octets(std::string_view text, std::string_view others) {
    return std::ranges::all_of(text, [others](char c) {
        return ascii_letters.contains(c) || ascii_digits.contains(c) || others.contains(c);
    });
}

std::string joined(const std::vector<std::string_view>& names) {
    std::string text;
    for (std::size_t i = 0; i < names.size(); ++i) {
        if (i > 0) text += i + 1 == names.size() ? " or " : ", ";
        text += '"' + std::string(names[i]) + '"';
    }
    return text;
}

std::vector<std::string_view> built_choices(const KeyRow& row) {
    const std::vector<std::string_view> planned = split_choices(row.planned);
    std::vector<std::string_view> built = split_choices(row.choices);
    std::erase_if(built, [&](std::string_view name) {
        return std::ranges::find(planned, name) != planned.end();
    });
    return built;
}

/// As the file would have it: `"10m"`, `false`, `[]`.
std::string shown_default(const KeyRow& row) {
    if (row.type == KeyType::text_list) return "[]";
    if (row.type == KeyType::boolean || row.type == KeyType::integer) {
        return std::string(row.fallback);
    }
    return '"' + std::string(row.fallback) + '"';
}

Duration bound(std::string_view text) {
    const std::optional<Duration> duration = parse_duration(text);
    ASSERT(duration.has_value());
    return *duration;
}

std::int64_t integer_of(std::string_view text) {
    std::int64_t number = 0;
    const auto [after, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    ASSERT(error == std::errc{});
    ASSERT(after == text.data() + text.size());
    return number;
}

std::string integer_error(const KeyRow& row, std::int64_t value) {
    if (value >= integer_of(row.least) && value <= integer_of(row.most)) return {};
    return std::string(row.name) + " is from " + std::string(row.least) + " to " +
           std::string(row.most) + ", not " + std::to_string(value);
}

std::string duration_error(const KeyRow& row, const std::string& value) {
    const std::optional<Duration> duration = parse_duration(value);
    if (!duration) {
        return std::string(row.name) +
               " takes a duration such as \"5m\" (a whole number and ms, s, "
               "m, h or d), not " +
               in_quotes(value);
    }
    if (row.name == "idle_timeout" && *duration < bound(row.least)) {
        return "idle_timeout is at least 10m (RFC 1939 §3: the inactivity timer), not " +
               in_quotes(value);
    }
    if (*duration >= bound(row.least) && *duration <= bound(row.most)) {
        return {};
    }
    return std::string(row.name) + " is from " + std::string(row.least) + " to " +
           std::string(row.most) + ", not " + in_quotes(value);
}

std::string octets_error(const KeyRow& row, const std::string& value) {
    const auto is_control = [](char c) {
        return static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
    };
    if (std::ranges::any_of(value, is_control)) {
        return std::string(row.name) + " contains a control character: " + in_quotes(value);
    }
    if (value.size() <= text_octets_max) return {};
    return std::string(row.name) + " is longer than " + std::to_string(text_octets_max) + " octets";
}

std::string ident_error(const std::string& value) {
    if (is_short_name(value)) return {};
    return "ident takes 1 to 32 letters, digits, \"-\" and \"_\", not " + in_quotes(value);
}

std::string target_error(const std::string& value) {
    if (value == "stderr" || (value.starts_with("file:") && value.size() > 5)) return {};
    if (value == "journal" || value == "syslog") {
        return "target = " + in_quotes(value) +
               " is not in this version yet; it takes \"stderr\" or \"file:PATH\"";
    }
    return "target takes \"stderr\" or \"file:PATH\", not " + in_quotes(value);
}

constexpr std::array<std::string_view, 4> placeholders = {"user", "local", "domain", "home"};

std::string template_error(const std::string& value) {
    if (value.empty()) return "maildir is empty; write a path such as \"/var/vmail/{user}\"";
    std::size_t at = 0;
    while ((at = value.find_first_of("{}", at)) != std::string::npos) {
        const std::size_t close = value.find_first_of("{}", at + 1);
        if (value[at] == '}' || close == std::string::npos || value[close] == '{') {
            return "maildir has an unpaired \"" + std::string(1, value[at]) +
                   "\": " + in_quotes(value);
        }
        const std::string name = value.substr(at + 1, close - at - 1);
        if (std::ranges::find(placeholders, name) == placeholders.end()) {
            const std::string_view nearest = nearest_name(name, placeholders);
            return "unknown placeholder " + in_quotes('{' + name + '}') + " in maildir" +
                   (nearest.empty() ? "; there are {user}, {local}, {domain} and {home}"
                                    : "; did you mean \"{" + std::string(nearest) + "}\"?");
        }
        at = close + 1;
    }
    return {};
}

/// What only this key's meaning says about a text.
std::string meaning_error(const KeyRow& row, const std::string& value) {
    if (row.name == "hostname" || row.name == "default_domain") {
        if (is_host_name(value)) return {};
        return std::string(row.name) +
               " takes a host name (letters, digits, \"-\" and \".\"), not " + in_quotes(value);
    }
    if (row.name == "ident") return ident_error(value);
    if (row.name == "target") return target_error(value);
    if (row.name == "maildir") return template_error(value);
    if (row.name == "user" && value.empty()) return "user is empty; write a name or \"root\"";
    if (row.name == "dovecot_uidl_format") {
        const std::expected<UidlFormat, std::string> format = UidlFormat::compile(value);
        return format ? "" : "dovecot_uidl_format: " + format.error();
    }
    if (row.is_required && value.empty()) {
        return std::string(row.name) + " is empty: " + std::string(row.meaning);
    }
    return {};
}

std::string text_error(const KeyRow& row, const std::string& value) {
    std::string error = octets_error(row, value);
    return error.empty() ? meaning_error(row, value) : error;
}

}  // namespace

std::string in_quotes(std::string_view text) { return '"' + log_escaped(text) + '"'; }

bool is_host_name(std::string_view text) {
    return text.size() <= host_octets_max && consists_of_name_octets(text, "-.");
}

bool is_short_name(std::string_view text) {
    return !text.empty() && text.size() <= name_octets_max && consists_of_name_octets(text, "-_");
}

std::string value_error(const KeyRow& row, const ConfigValue& value) {
    if (!row.is_built && !is_same_value(row, value, default_value(row))) {
        return std::string(row.name) + " is not in this version yet; leave it out, or " +
               shown_default(row);
    }
    switch (row.type) {
        case KeyType::integer: return integer_error(row, std::get<std::int64_t>(value));
        case KeyType::duration: return duration_error(row, std::get<std::string>(value));
        case KeyType::choice: return choice_error(row, std::get<std::string>(value));
        case KeyType::text: return text_error(row, std::get<std::string>(value));
        default: return {};
    }
}

std::string choice_error(const KeyRow& row, const std::string& value) {
    const std::vector<std::string_view> choices = split_choices(row.choices);
    const std::vector<std::string_view> built = built_choices(row);
    if (std::ranges::find(built, value) != built.end()) return {};
    if (std::ranges::find(choices, value) != choices.end()) {
        return std::string(row.name) + " = " + in_quotes(value) +
               " is not in this version yet; it takes " + joined(built);
    }
    const std::string_view nearest = nearest_name(value, choices);
    std::string sentence =
        std::string(row.name) + " takes " + joined(built) + ", not " + in_quotes(value);
    if (!nearest.empty() && built.size() > 1) {
        sentence += "; did you mean \"" + std::string(nearest) + "\"?";
    }
    return sentence;
}

ConfigValue default_value(const KeyRow& row) {
    switch (row.type) {
        case KeyType::boolean: return row.fallback == "true";
        case KeyType::integer: return integer_of(row.fallback);
        case KeyType::text_list:
        case KeyType::choice_list: {
            const std::vector<std::string_view> items = split_choices(row.fallback);
            return std::vector<std::string>(items.begin(), items.end());
        }
        default: return std::string(row.fallback);
    }
}

bool is_same_value(const KeyRow& row, const ConfigValue& a, const ConfigValue& b) {
    if (a == b) return true;
    if (row.type != KeyType::duration) return false;
    const std::optional<Duration> duration = parse_duration(std::get<std::string>(a));
    return duration && duration == parse_duration(std::get<std::string>(b));
}

}  // namespace restante
