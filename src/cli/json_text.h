#pragma once
/// For the --json of subcommands.

#include <string>
#include <string_view>

namespace restante {

/// `text` as a JSON string, with its quotes. Octets above 0x7E stay as they are.
std::string json_string(std::string_view text);

}  // namespace restante
