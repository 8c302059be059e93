#pragma once
/// JSON, written from front to back (RFC 8259).

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace pop3load {

/// The caller closes what it opens, and gives each member of an object a key first. Members of the
/// outer two levels have a line each. What is written may stand inside an HTML script element: `<`,
/// `>` and `&` are escaped in strings.
class JsonWriter {
public:
    JsonWriter& open_object() { return open('{'); }
    JsonWriter& close_object() { return close('}'); }
    JsonWriter& open_array() { return open('['); }
    JsonWriter& close_array() { return close(']'); }
    JsonWriter& key(std::string_view name);

    /// Octets that are no UTF-8 become U+FFFD.
    JsonWriter& string(std::string_view value);
    JsonWriter& integer(std::uint64_t value);
    /// The shortest form that reads back the same; null for what is no number.
    JsonWriter& number(double value);
    JsonWriter& boolean(bool value);
    JsonWriter& null();

    /// The document; everything must be closed.
    std::string take();

private:
    JsonWriter& open(char bracket);
    JsonWriter& close(char bracket);
    JsonWriter& literal(std::string_view text);
    void begin_value();
    void begin_line();

    std::string text_;
    std::vector<bool> has_members_;  // of each open object or array
    bool after_key_ = false;
};

}  // namespace pop3load
