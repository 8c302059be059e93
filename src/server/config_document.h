#pragma once
/// A configuration file between reading (config.cc) and checking (config_check.cc): its known keys
/// with values of the right type, and what was found wrong so far.

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "server/config_schema.h"

namespace restante {

/// In the file, 1-based; columns in code points. Line 0: the file as a whole.
struct FilePosition {
    std::uint32_t line = 0;
    std::uint32_t column = 0;
    friend auto operator<=>(const FilePosition&, const FilePosition&) = default;
};

/// monostate: the key was there, but what it had has been reported.
using ConfigValue =
    std::variant<std::monostate, bool, std::int64_t, std::string, std::vector<std::string>>;

struct ConfigEntry {
    const KeyRow* row;
    std::string table;  ///< "listener.pop3" where row->table is "listener.*"
    ConfigValue value;
    FilePosition at;                  ///< of the value
    std::vector<FilePosition> items;  ///< of each element, where the value is a list
};

struct ConfigTable {
    std::string path;          ///< "listener.pop3"
    std::string_view pattern;  ///< "listener.*"
    FilePosition at;
};

struct ConfigDocument {
    std::vector<ConfigTable> tables;  ///< in file order
    std::vector<ConfigEntry> entries;
    /// Names that unknown keys and tables probably stand for, "storage" or "storage.maildir": that
    /// these are missing is not said as well.
    std::vector<std::string> meant;
};

/// Sentences with their places; sorted when they are taken.
class Findings {
public:
    /// `path` is what lines begin with; it outlives the Findings.
    explicit Findings(const std::string& path) : path_(path) {}
    void add(FilePosition at, std::string sentence);
    bool empty() const { return findings_.empty(); }
    /// "path:line:column: sentence", in file order; "path: sentence" last, of the file as a whole.
    std::vector<std::string> lines() const;

private:
    struct Finding {
        FilePosition at;
        std::string sentence;
    };
    const std::string& path_;
    std::vector<Finding> findings_;
};

}  // namespace restante
