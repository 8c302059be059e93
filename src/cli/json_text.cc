#include "cli/json_text.h"

#include <cstdio>

namespace restante {

std::string json_string(std::string_view text) {
    std::string quoted = "\"";
    for (const char octet : text) {
        if (octet == '"' || octet == '\\') quoted += '\\';
        if (static_cast<unsigned char>(octet) >= 0x20) {
            quoted += octet;
            continue;
        }
        char escaped[8];
        std::snprintf(escaped, sizeof(escaped), "\\u%04x", static_cast<unsigned>(octet));
        quoted += escaped;
    }
    return quoted + '"';
}

}  // namespace restante
