#include "server/config.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

namespace restante {

/// toml++ 3.3 asserts what only the file can break: "[}" is enough. That is an error of the file,
/// and must neither end the process nor, with assertions compiled out, be undefined.
struct AssertionOfToml {};

[[noreturn]] static void throw_assertion_of_toml() { throw AssertionOfToml{}; }

}  // namespace restante

#define TOML_ASSERT(condition) ((condition) ? void() : restante::throw_assertion_of_toml())
#include <toml++/toml.h>

#include "base/fd.h"
#include "base/nearest_name.h"
#include "server/config_check.h"
#include "server/config_value.h"

namespace restante {
namespace {

constexpr std::size_t config_octets_max = 1 << 20;

FilePosition position_of(const toml::source_region& source) {
    return {source.begin.line, source.begin.column};
}

std::string shown_table(std::string_view path) { return '[' + log_escaped(path) + ']'; }

/// "in [limits]", "at the top of the file".
std::string shown_place(std::string_view path) {
    return path.empty() ? "at the top of the file" : "in " + shown_table(path);
}

std::string child_path(std::string_view table, std::string_view name) {
    return table.empty() ? std::string(name) : std::string(table) + '.' + std::string(name);
}

/// "listener.*" as "listener.NAME".
std::string with_any_name(std::string_view pattern) {
    if (!pattern.ends_with('*')) return std::string(pattern);
    return std::string(pattern.substr(0, pattern.size() - 1)) + "NAME";
}

bool is_table(std::string_view pattern) {
    return std::ranges::find(config_tables(), pattern) != config_tables().end();
}

std::string_view expected_of(KeyType type) {
    switch (type) {
        case KeyType::boolean: return "true or false";
        case KeyType::integer: return "a whole number";
        case KeyType::duration: return "a duration in quotes, such as \"5m\"";
        case KeyType::text:
        case KeyType::choice: return "a text in quotes";
        case KeyType::text_list:
        case KeyType::choice_list: return "a list of texts in quotes, such as [\"...\"]";
    }
    return {};
}

std::string_view found_in(const toml::node& node) {
    switch (node.type()) {
        case toml::node_type::table: return "a table";
        case toml::node_type::array: return "a list";
        case toml::node_type::string: return "a text";
        case toml::node_type::integer: return "a number";
        case toml::node_type::floating_point: return "a number with a fraction";
        case toml::node_type::boolean: return "true or false";
        default: return "a date or time";
    }
}

/// Walks the parsed TOML: everything in it becomes an entry of the document or a finding.
class DocumentReader {
public:
    DocumentReader(ConfigDocument& document, Findings& findings)
        : document_(document), findings_(findings) {}

    void read(const toml::table& table, const std::string& path, std::string_view pattern);

private:
    void read_table(const toml::key& key, const toml::node& node, const ConfigTable& parent);
    void read_value(const KeyRow& row, const toml::node& node, const std::string& path);
    std::optional<ConfigValue> list_of(const toml::array& array, ConfigEntry& entry);
    void report_unknown(const toml::key& key, const toml::node& node, const ConfigTable& parent);
    std::string suggestion(std::string_view typed, bool is_table, const ConfigTable& parent);

    ConfigDocument& document_;
    Findings& findings_;
};

void DocumentReader::read(const toml::table& table, const std::string& path,
                          std::string_view pattern) {
    const ConfigTable here{path, pattern, position_of(table.source())};
    document_.tables.push_back(here);
    for (const auto& [key, node] : table) {
        const KeyRow* row = find_key(pattern, key.str());
        const bool is_child = is_table(child_path(pattern, key.str()));
        if (row != nullptr) {
            read_value(*row, node, path);
        } else if (is_child || is_table(child_path(pattern, "*"))) {
            read_table(key, node, here);
        } else {
            report_unknown(key, node, here);
        }
    }
}

void DocumentReader::read_table(const toml::key& key, const toml::node& node,
                                const ConfigTable& parent) {
    const std::string exact = child_path(parent.pattern, key.str());
    const std::string pattern = is_table(exact) ? exact : child_path(parent.pattern, "*");
    const std::string path = child_path(parent.path, key.str());
    const toml::table* table = node.as_table();
    if (table == nullptr) {
        const bool is_named = pattern != exact;
        const std::string shown = is_named ? child_path(parent.path, "NAME") : path;
        findings_.add(position_of(key.source()),
                      is_named ? in_quotes(key.str()) + " belongs in a table " + shown_table(shown)
                               : in_quotes(key.str()) + " is a table: write " + shown_table(shown));
        document_.meant.push_back(is_named ? parent.path : path);
        return;
    }
    read(*table, path, *std::ranges::find(config_tables(), pattern));
}

void DocumentReader::read_value(const KeyRow& row, const toml::node& node,
                                const std::string& path) {
    ConfigEntry entry{&row, path, {}, position_of(node.source()), {}};
    std::optional<ConfigValue> value;
    if (row.type == KeyType::boolean) {
        if (node.is_boolean()) value = node.value_exact<bool>().value();
    } else if (row.type == KeyType::integer) {
        if (node.is_integer()) value = node.value_exact<std::int64_t>().value();
    } else if (row.type == KeyType::text_list || row.type == KeyType::choice_list) {
        if (node.is_array()) value = list_of(*node.as_array(), entry);
    } else if (node.is_string()) {
        value = node.value_exact<std::string>().value();
    }
    if (value) {
        entry.value = std::move(*value);
    } else {
        findings_.add(entry.at, std::string(row.name) + " takes " +
                                    std::string(expected_of(row.type)) + ", not " +
                                    std::string(found_in(node)));
    }
    document_.entries.push_back(std::move(entry));
}

/// Elements that are no texts are findings and left out.
std::optional<ConfigValue> DocumentReader::list_of(const toml::array& array, ConfigEntry& entry) {
    std::vector<std::string> items;
    bool is_sound = true;
    for (const toml::node& item : array) {
        const FilePosition at = position_of(item.source());
        if (item.is_string()) {
            items.push_back(item.value_exact<std::string>().value());
            entry.items.push_back(at);
            continue;
        }
        is_sound = false;
        findings_.add(at, std::string(entry.row->name) + " is a list of texts in quotes; this is " +
                              std::string(found_in(item)));
    }
    return is_sound ? ConfigValue(items) : ConfigValue();
}

void DocumentReader::report_unknown(const toml::key& key, const toml::node& node,
                                    const ConfigTable& parent) {
    const bool is_table = node.is_table() || node.is_array_of_tables();
    const std::string path = child_path(parent.path, key.str());
    std::string sentence =
        is_table ? "unknown table " + shown_table(path)
                 : "unknown key " + in_quotes(key.str()) + ' ' + shown_place(parent.path);
    findings_.add(position_of(key.source()), sentence + suggestion(key.str(), is_table, parent));
}

/// "; did you mean ...?", of the names `parent` has, else of a key by that very name elsewhere.
std::string DocumentReader::suggestion(std::string_view typed, bool is_table,
                                       const ConfigTable& parent) {
    std::vector<std::string_view> names;
    for (const KeyRow& row : config_schema()) {
        if (!is_table && row.table == parent.pattern) names.push_back(row.name);
    }
    const std::string prefix = child_path(parent.pattern, "");
    for (std::string_view table : config_tables()) {
        if (!is_table || !table.starts_with(prefix) || table == parent.pattern) continue;
        table.remove_prefix(prefix.size());
        if (!table.contains('.') && table != "*") names.push_back(table);
    }
    const std::string_view nearest = nearest_name(typed, names);
    if (!nearest.empty()) {
        const std::string meant = child_path(parent.path, nearest);
        document_.meant.push_back(meant);
        return "; did you mean " + (is_table ? shown_table(meant) : in_quotes(nearest)) + "?";
    }
    for (const KeyRow& row : config_schema()) {
        if (!is_table && row.name == typed)
            return "; it belongs " + shown_place(with_any_name(row.table));
    }
    return {};
}

std::string syntax_error(std::string_view description) {
    constexpr std::string_view preamble = "Error while parsing ";
    if (description.starts_with(preamble)) description.remove_prefix(preamble.size());
    std::string sentence = "TOML: " + log_escaped(description, 256);
    if (description.starts_with("decimal integer: expected digit, saw '")) {
        sentence += " (texts and durations are written in quotes, such as \"10m\")";
    }
    return sentence;
}

/// Whether parsing `text` breaks an assertion of toml++.
bool breaks_assertion(std::string_view text) {
    try {
        const toml::table ignored = toml::parse(text);
        return false;
    } catch (const toml::parse_error&) {
        return false;
    } catch (const AssertionOfToml&) {
        return true;
    }
}

/// The octet of `text` that breaks an assertion of toml++: the parser reads it forward only, so all
/// beginnings of the text that include it break one, and no shorter one does.
FilePosition place_of_assertion(std::string_view text) {
    std::size_t good = 0;
    std::size_t bad = text.size();
    while (bad - good > 1) {
        const std::size_t middle = good + (bad - good) / 2;
        (breaks_assertion(text.substr(0, middle)) ? bad : good) = middle;
    }
    const std::string_view before = text.substr(0, good);
    const std::size_t newline = before.rfind('\n');
    const std::size_t line_start = newline == std::string_view::npos ? 0 : newline + 1;
    const auto is_code_point = [](char c) {
        return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
    };
    return {static_cast<std::uint32_t>(1 + std::ranges::count(before, '\n')),
            static_cast<std::uint32_t>(
                1 + std::ranges::count_if(before.substr(line_start), is_code_point))};
}

ConfigDocument read_document(std::string_view text, Findings& findings) {
    ConfigDocument document;
    try {
        const toml::table root = toml::parse(text);
        DocumentReader(document, findings).read(root, "", "");
    } catch (const toml::parse_error& error) {
        findings.add(position_of(error.source()), syntax_error(error.description()));
    } catch (const AssertionOfToml&) {
        findings.add(place_of_assertion(text), "TOML: this cannot stand here");
    }
    std::ranges::stable_sort(document.tables, {}, &ConfigTable::at);
    return document;
}

std::string rendered(const ConfigValue& value) {
    if (const auto* claim = std::get_if<bool>(&value)) return *claim ? "true" : "false";
    if (const auto* number = std::get_if<std::int64_t>(&value)) return std::to_string(*number);
    if (const auto* text = std::get_if<std::string>(&value)) {
        std::string escaped = "\"";
        for (const char c : *text) {
            if (c == '"' || c == '\\') escaped += '\\';
            escaped += c;
        }
        return escaped + '"';
    }
    std::string list = "[";
    for (const std::string& item : std::get<std::vector<std::string>>(value)) {
        if (list.size() > 1) list += ", ";
        list += rendered(item);
    }
    return list + ']';
}

/// One line of describe_config(), or nothing.
std::string described(const KeyRow& row, const ConfigTable& table, const ConfigDocument& document,
                      bool all) {
    constexpr std::size_t meaning_column = 48;
    const auto entry = std::ranges::find_if(document.entries, [&](const ConfigEntry& e) {
        return e.row == &row && e.table == table.path;
    });
    const bool is_there = entry != document.entries.end();
    if (!is_there && (!all || row.is_required)) return {};
    const ConfigValue value = is_there ? entry->value : default_value(row);
    if (!all && !row.is_required && is_same_value(row, value, default_value(row))) return {};
    std::string line = child_path(table.path, row.name) + " = " + rendered(value);
    if (!all) return line + '\n';
    line.append(line.size() < meaning_column ? meaning_column - line.size() : 1, ' ');
    return line + "# " + std::string(row.meaning) + '\n';
}

/// The whole file, at most config_octets_max of it; the error is the cause.
std::expected<std::string, std::string> read_file(const std::string& path) {
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) return std::unexpected(strerrordesc_np(errno));
    const Fd file(descriptor);
    std::string text;
    std::array<char, 16384> piece;
    while (text.size() <= config_octets_max) {
        const ssize_t octets = ::read(file.get(), piece.data(), piece.size());
        if (octets < 0 && errno == EINTR) continue;
        if (octets < 0) return std::unexpected(strerrordesc_np(errno));
        if (octets == 0) return text;
        text.append(piece.data(), static_cast<std::size_t>(octets));
    }
    return std::unexpected("longer than 1 MiB, which no configuration is");
}

}  // namespace

std::expected<Config, ConfigErrors> load_config(const std::string& path) {
    const std::expected<std::string, std::string> text = read_config_text(path);
    if (!text) return std::unexpected(ConfigErrors{text.error()});
    return parse_config(*text, path);
}

std::expected<std::string, std::string> read_config_text(const std::string& path) {
    std::expected<std::string, std::string> text = read_file(path);
    if (text) return text;
    std::string sentence = path + ": cannot be read: " + text.error();
    if (path == default_config_path) sentence += " (name another file with --config FILE)";
    return std::unexpected(sentence);
}

std::expected<Config, ConfigErrors> parse_config(std::string_view text, const std::string& path) {
    Findings findings(path);
    ConfigDocument document = read_document(text, findings);
    if (document.tables.empty()) return std::unexpected(findings.lines());
    Config config = check_document(document, path, findings);
    if (!findings.empty()) return std::unexpected(findings.lines());
    return config;
}

std::string describe_config(std::string_view text, const std::string& path, bool all) {
    Findings findings(path);
    const ConfigDocument document = read_document(text, findings);
    std::string description;
    for (const KeyRow& row : config_schema()) {
        for (const ConfigTable& table : document.tables) {
            if (table.pattern == row.table) description += described(row, table, document, all);
        }
    }
    return description;
}

}  // namespace restante
