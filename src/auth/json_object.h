#pragma once
/// JSON objects (RFC 8259) from elsewhere, by jansson.

#include <jansson.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>

namespace restante {

struct JsonFree {
    void operator()(json_t* value) const { json_decref(value); }
};

/// An object and its members, which live as long as it.
class JsonObject {
public:
    struct Limits {
        std::size_t octets;
        std::size_t depth;  ///< the parser recurses
    };
    /// Empty where `text` is not exactly one object, has a name twice, or is over a limit.
    static std::optional<JsonObject> parse(std::string_view text, Limits limits);
    /// A member that is an object; empty where it is something else.
    static std::optional<JsonObject> share(json_t* member);

    /// nullptr where there is none.
    const json_t* member(const char* name) const { return json_object_get(object_.get(), name); }
    bool has(const char* name) const { return member(name) != nullptr; }
    /// Empty where there is none, or it is something else.
    std::optional<std::string_view> text(const char* name) const;

private:
    explicit JsonObject(json_t* object) : object_(object) {}
    std::unique_ptr<json_t, JsonFree> object_;
};

/// Of a string.
std::string_view json_text(const json_t* value);

}  // namespace restante
