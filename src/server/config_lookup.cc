#include "server/config_lookup.h"

#include <algorithm>
#include <system_error>

#include "base/assert.h"
#include "server/config_value.h"

namespace restante {

ConfigLookup::ConfigLookup(const ConfigDocument& document, const std::string& path)
    : document_(document) {
    std::error_code unknown_folder;  // then relative paths stay so
    folder_ = std::filesystem::absolute(path, unknown_folder).parent_path();
}

const ConfigEntry* ConfigLookup::find(std::string_view table, std::string_view name) const {
    const auto entry = std::ranges::find_if(document_.entries, [&](const ConfigEntry& e) {
        return e.table == table && e.row->name == name;
    });
    return entry == document_.entries.end() ? nullptr : &*entry;
}

std::vector<const ConfigTable*> ConfigLookup::tables_of(std::string_view pattern) const {
    std::vector<const ConfigTable*> tables;
    for (const ConfigTable& table : document_.tables) {
        if (table.pattern == pattern) tables.push_back(&table);
    }
    return tables;
}

ConfigValue ConfigLookup::value(std::string_view table, std::string_view name) const {
    const ConfigEntry* entry = find(table, name);
    if (entry != nullptr && entry->value.index() != 0) return entry->value;
    return default_value(row_of(table, name));
}

/// "listener.pop3" has the keys of "listener.*".
const KeyRow& ConfigLookup::row_of(std::string_view table, std::string_view name) const {
    const auto named = std::ranges::find(document_.tables, table, &ConfigTable::path);
    const KeyRow* row = find_key(named == document_.tables.end() ? table : named->pattern, name);
    ASSERT(row != nullptr);
    return *row;
}

std::size_t ConfigLookup::choice_index(std::string_view table, std::string_view name) const {
    const std::vector<std::string_view> choices = split_choices(row_of(table, name).choices);
    const auto place = std::ranges::find(choices, text(table, name));
    ASSERT(place != choices.end());
    return static_cast<std::size_t>(place - choices.begin());
}

bool ConfigLookup::boolean(std::string_view table, std::string_view name) const {
    return std::get<bool>(value(table, name));
}

std::uint32_t ConfigLookup::integer(std::string_view table, std::string_view name) const {
    return static_cast<std::uint32_t>(std::get<std::int64_t>(value(table, name)));
}

Duration ConfigLookup::duration(std::string_view table, std::string_view name) const {
    const std::optional<Duration> duration = parse_duration(text(table, name));
    ASSERT(duration.has_value());
    return *duration;
}

std::string ConfigLookup::text(std::string_view table, std::string_view name) const {
    return std::get<std::string>(value(table, name));
}

std::vector<std::string> ConfigLookup::texts(std::string_view table, std::string_view name) const {
    return std::get<std::vector<std::string>>(value(table, name));
}

std::string ConfigLookup::file(std::string_view table, std::string_view name) const {
    const std::string path = text(table, name);
    return path.empty() ? path : absolute(path);
}

std::string ConfigLookup::absolute(const std::string& path) const {
    return (folder_ / path).lexically_normal().string();
}

}  // namespace restante
