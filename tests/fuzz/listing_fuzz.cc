// ListingWriter writes what the functions for one line write, and every line keeps to its bound.
// Input: the first number, then an octet a message: skipped, or numbers and unique-ids.
#include <algorithm>
#include <string>

#include "base/assert.h"
#include "fuzz/input.h"
#include "fuzz/target.h"
#include "pop3/limits.h"
#include "pop3/listing.h"
#include "pop3/reply.h"

namespace restante::fuzz {
namespace {

/// Of any octets.
std::string unique_id_of(std::string_view octets) {
    std::string id(octets.substr(0, pop3::unique_id_octets_max));
    for (char& octet : id) {
        octet = static_cast<char>(0x21 + static_cast<unsigned char>(octet) % (0x7E - 0x20));
    }
    return id.empty() ? "x" : id;
}

}  // namespace

void fuzz_listing(std::string_view input) {
    Input parts(input);
    auto index = static_cast<std::uint32_t>(parts.number() % (UINT32_MAX - 2048));
    char space[4096];
    pop3::ListingWriter writer(space, pop3::MessageNumber::at(index));
    std::string expected;
    for (; !parts.is_over() && writer.has_room(); ++index) {
        const pop3::MessageNumber number = pop3::MessageNumber::at(index);
        char line[pop3::short_line_octets_max];
        std::size_t octets = 0;
        const std::uint8_t kind = parts.octet() % 3;
        if (kind == 0) {
            writer.skip();
        } else if (kind == 1) {
            const pop3::Octets of(parts.number());
            writer.add(of);
            octets = pop3::write_scan_listing(number, of, false, line);
        } else {
            const std::string id = unique_id_of(parts.until('\0'));
            ASSERT(pop3::is_unique_id(id));
            writer.add(id);
            octets = pop3::write_unique_id_listing(number, id, false, line);
        }
        ASSERT(octets <= sizeof line);
        expected.append(line, octets);
    }
    ASSERT(std::string_view(space, writer.written()) == expected);
}

}  // namespace restante::fuzz
