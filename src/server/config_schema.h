#pragma once
/// Every key of the configuration file as data: what it takes, its default, its bounds, whether
/// this version has it. The operator's contract: add keys, never rename one.

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/clock.h"

namespace restante {

enum class KeyType : std::uint8_t {
    boolean,
    integer,
    duration,  ///< a string: integer and ms, s, m, h or d
    text,
    choice,  ///< one of `choices`
    text_list,
    choice_list,  ///< each one of `choices`, none twice
};

/// Values in a row are written as in the file but without quotes; lists are separated by "|".
struct KeyRow {
    std::string_view table;  ///< "limits", "listener.*" (any name), "" = before the first table
    std::string_view name;
    KeyType type;
    std::string_view fallback = {};  ///< the default; means nothing where `is_required`
    bool is_required = false;        ///< in each table by that name there is
    bool is_built = true;            ///< false: only the default, which means "off", is accepted
    std::string_view least = {};     ///< integers and durations; both ends included
    std::string_view most = {};
    std::string_view choices = {};  ///< of choice and choice_list, in the order of the enum
    std::string_view planned = {};  ///< those of `choices` this version does not have
    std::string_view meaning;       ///< one clause, with the unit where the value does not carry it
};

/// In the order of the contract and of conf/restante.toml.
std::span<const KeyRow> config_schema();

/// nullptr when there is none. `table` is a pattern, as in KeyRow.
const KeyRow* find_key(std::string_view table, std::string_view name);

/// "limits", "listener", "listener.*", "auth", "auth.backend", "auth.backend.*" ...
std::span<const std::string_view> config_tables();

/// "a|b" as {"a", "b"}; "" as {}.
std::vector<std::string_view> split_choices(std::string_view choices);

/// "250ms", "10m": digits and a unit, nothing else; at most what a Duration holds (292 years).
std::optional<Duration> parse_duration(std::string_view text);

}  // namespace restante
