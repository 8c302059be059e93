#include "auth/json_object.h"

namespace restante {
namespace {

/// Whether no array or object is within more than `depth_max - 1` others.
bool is_shallow(std::string_view text, std::size_t depth_max) {
    std::size_t depth = 0;
    bool is_in_string = false;
    for (std::size_t at = 0; at < text.size(); ++at) {
        const char octet = text[at];
        if (is_in_string) {
            if (octet == '\\') ++at;
            is_in_string = octet != '"';
        } else if (octet == '"') {
            is_in_string = true;
        } else if (octet == '[' || octet == '{') {
            if (++depth > depth_max) return false;
        } else if ((octet == ']' || octet == '}') && depth > 0) {
            --depth;
        }
    }
    return true;
}

}  // namespace

std::optional<JsonObject> JsonObject::parse(std::string_view text, Limits limits) {
    if (text.size() > limits.octets || !is_shallow(text, limits.depth)) return std::nullopt;
    json_t* parsed = json_loadb(text.data(), text.size(), JSON_REJECT_DUPLICATES, nullptr);
    if (parsed == nullptr) return std::nullopt;
    JsonObject object(parsed);
    if (!json_is_object(parsed)) return std::nullopt;
    return object;
}

std::optional<JsonObject> JsonObject::share(json_t* member) {
    if (!json_is_object(member)) return std::nullopt;
    return JsonObject(json_incref(member));
}

std::optional<std::string_view> JsonObject::text(const char* name) const {
    const json_t* value = member(name);
    if (!json_is_string(value)) return std::nullopt;
    return json_text(value);
}

std::string_view json_text(const json_t* value) {
    return {json_string_value(value), json_string_length(value)};
}

}  // namespace restante
