#pragma once
/// A checked configuration file by key: the value in the file, else the key's default.

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "server/config_document.h"

namespace restante {

/// Names are those of config_schema(). Where a value was bad its default is given: the Config is
/// then never used. The document outlives this.
class ConfigLookup {
public:
    /// `path` of the file: the base of relative paths.
    ConfigLookup(const ConfigDocument& document, const std::string& path);

    /// nullptr where the file does not have it.
    const ConfigEntry* find(std::string_view table, std::string_view name) const;
    /// In file order. `pattern`: "listener.*".
    std::vector<const ConfigTable*> tables_of(std::string_view pattern) const;

    bool boolean(std::string_view table, std::string_view name) const;
    std::uint32_t integer(std::string_view table, std::string_view name) const;
    Duration duration(std::string_view table, std::string_view name) const;
    std::string text(std::string_view table, std::string_view name) const;
    std::vector<std::string> texts(std::string_view table, std::string_view name) const;
    /// Absolute; "" stays so.
    std::string file(std::string_view table, std::string_view name) const;
    /// The choices of the row are in the order of the enum.
    template <class Enum>
    Enum choice(std::string_view table, std::string_view name) const {
        return static_cast<Enum>(choice_index(table, name));
    }
    std::string absolute(const std::string& path) const;

private:
    ConfigValue value(std::string_view table, std::string_view name) const;
    const KeyRow& row_of(std::string_view table, std::string_view name) const;
    std::size_t choice_index(std::string_view table, std::string_view name) const;

    const ConfigDocument& document_;
    std::filesystem::path folder_;
};

}  // namespace restante
