#include "base/log.h"

#include <unistd.h>

namespace restante {

int process_id() {
    static const int id = ::getpid();
    return id;
}

std::string log_escaped(std::string_view text, std::size_t octets_max) {
    static constexpr char hex_digits[] = "0123456789abcdef";
    std::string escaped;
    for (const char c : text) {
        if (escaped.size() >= octets_max) return escaped + "...";
        const auto octet = static_cast<unsigned char>(c);
        if (octet >= 0x20 && octet <= 0x7E && c != '<' && c != '>' && c != '\\') {
            escaped += c;
        } else {
            escaped += "\\x";
            escaped += hex_digits[octet >> 4];
            escaped += hex_digits[octet & 15];
        }
    }
    return escaped;
}

}  // namespace restante
