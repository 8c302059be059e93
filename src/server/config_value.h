#pragma once
/// What one value of the configuration file must be, going by its row of the schema.

#include <string>
#include <string_view>

#include "server/config_document.h"

namespace restante {

/// "" or a sentence that names the key, what it takes and what it was given. `value` is of the
/// row's type; the elements of a list are not looked at.
std::string value_error(const KeyRow& row, const ConfigValue& value);

/// The same for one value of a choice, or one element of a choice list.
std::string choice_error(const KeyRow& row, const std::string& value);

/// The value that `row` takes where the file has none; nothing, where it is required.
ConfigValue default_value(const KeyRow& row);

/// Whether both mean the same: "60s" is "1m".
bool is_same_value(const KeyRow& row, const ConfigValue& a, const ConfigValue& b);

/// Letters, digits, "-" and "."; may be empty.
bool is_host_name(std::string_view text);

/// 1 to 32 letters, digits, "-" and "_".
bool is_short_name(std::string_view text);

/// In quotes and fit for a line of a terminal or log.
std::string in_quotes(std::string_view text);

}  // namespace restante
