// LineReader gives the lines that a search for LF in the whole text gives, however it is split, and
// says once what is too long. Input: octets for the split, the limit and how often the rest is
// repeated (floods are long), then what is received.
#include <algorithm>
#include <string>
#include <vector>

#include "base/assert.h"
#include "fuzz/input.h"
#include "fuzz/target.h"
#include "pop3/line_reader.h"

namespace restante::fuzz {
namespace {

using Reader = pop3::LineReader;
using Status = Reader::Status;

constexpr std::size_t text_octets_max = 2 * pop3::overlong_line_octets_max;

struct Read {
    Status status;
    std::string line;
    friend bool operator==(const Read&, const Read&) = default;
};

/// Up to a line that has no end yet, or a flood.
std::vector<Read> expected_of(std::string_view text, std::size_t limit) {
    std::vector<Read> all;
    while (!text.empty()) {
        const std::size_t end = text.find('\n');
        const std::size_t octets = std::min(end, text.size() - 1) + 1;
        const bool is_flood = end == std::string_view::npos
                                  ? octets >= pop3::overlong_line_octets_max
                                  : octets > pop3::overlong_line_octets_max;
        if (is_flood) {
            all.push_back({Status::flooded, {}});
            return all;
        }
        if (end == std::string_view::npos) return all;
        std::string_view line = text.substr(0, end);
        if (line.ends_with('\r')) line.remove_suffix(1);
        const bool fits = octets <= limit;
        all.push_back({fits ? Status::line : Status::overlong, std::string(fits ? line : "")});
        text.remove_prefix(end + 1);
    }
    return all;
}

std::vector<Read> read_in_pieces(std::string_view text, std::uint8_t split, std::size_t limit) {
    std::vector<Read> all;
    Reader reader;
    for (Pieces pieces(text, split); !pieces.is_over();) {
        reader.feed(pieces.next(Reader::fed_octets_max));
        for (;;) {
            const Reader::Next next = reader.next(limit);
            if (next.status == Status::incomplete) break;
            all.push_back({next.status, std::string(next.line)});
            if (next.status == Status::flooded) return all;
        }
        ASSERT(reader.buffered().size() < limit);
        ASSERT(text.substr(0, text.size() - pieces.rest().size()).ends_with(reader.buffered()));
        reader.wipe();
    }
    return all;
}

}  // namespace

void fuzz_line_reader(std::string_view input) {
    Input parts(input);
    const std::uint8_t split = parts.octet();
    const std::uint8_t chosen = parts.octet();
    std::uint8_t repetitions = parts.octet();
    const std::size_t limit = chosen == 0   ? pop3::command_line_octets_max
                              : chosen == 1 ? pop3::auth_line_octets_max
                                            : chosen;
    std::string text(parts.rest());
    while (repetitions-- > 0 && text.size() < text_octets_max) text += parts.rest();
    ASSERT(read_in_pieces(text, split, limit) == expected_of(text, limit));
}

}  // namespace restante::fuzz
