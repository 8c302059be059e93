#pragma once
/// Configurations as text, for tests: read as the file /etc/r/f.toml.

#include <doctest/doctest.h>

#include <string>
#include <string_view>

#include "server/config.h"

namespace restante {

/// A whole configuration, ten lines long; what tests add begins on line 11.
inline constexpr std::string_view smallest =
    "[listener.pop3]\n"
    "address = [\"127.0.0.1:110\"]\n"
    "[storage]\n"
    "maildir = \"/var/vmail/{user}\"\n"
    "[auth]\n"
    "allow_cleartext = true\n"
    "[auth.backend.local]\n"
    "type = \"passwd-file\"\n"
    "path = \"users\"\n"
    "\n";

inline std::string with(std::string_view added) {
    return std::string(smallest) + std::string(added);
}

/// All errors of `text`, one a line; "" when there are none.
inline std::string errors_of(std::string_view text) {
    const auto config = parse_config(text, "/etc/r/f.toml");
    if (config) return {};
    std::string lines;
    for (const std::string& line : config.error()) lines += (lines.empty() ? "" : "\n") + line;
    return lines;
}

/// The one error that `added` causes at the end of a sound file, without "/etc/r/f.toml:".
inline std::string error_of(std::string_view added) {
    std::string error = errors_of(with(added));
    if (error.starts_with("/etc/r/f.toml:")) error.erase(0, 14);
    return error;
}

inline std::string replaced(std::string text, std::string_view from, std::string_view to) {
    const std::size_t at = text.find(from);
    REQUIRE(at != std::string::npos);
    return text.replace(at, from.size(), to);
}

inline Config config_of(std::string_view text) {
    const auto config = parse_config(text, "/etc/r/f.toml");
    for (const std::string& error : config ? ConfigErrors{} : config.error()) MESSAGE(error);
    REQUIRE(config);
    return *config;
}

}  // namespace restante
