// dovecot_uidl_format: what compiles expands to a bounded text that depends on what it says it
// needs and on nothing else. Input: the format, NUL, a base name.
#include <string>

#include "base/assert.h"
#include "fuzz/input.h"
#include "fuzz/target.h"
#include "maildir/uidl_format.h"

namespace restante::fuzz {
namespace {

/// One piece is at most this long, or the name in hex.
constexpr std::size_t piece_octets_max = 4096;

}  // namespace

void fuzz_uidl_format(std::string_view input) {
    Input parts(input);
    const std::string text(parts.until('\0'));
    const std::string_view base = parts.rest();
    const std::expected<UidlFormat, std::string> format = UidlFormat::compile(text);
    if (!format) {
        ASSERT(!format.error().empty());
        return;
    }
    ASSERT(format->text() == text);
    const UidlValues values{7, 0x5F3759DF, base, {}};
    const std::string id = format->expand(values);
    ASSERT(id.size() <= (text.size() + 1) * (piece_octets_max + 2 * base.size()));
    ASSERT(format->expand(values) == id);
    if (!format->needs_uid()) ASSERT(format->expand({8, values.uidvalidity, base, {}}) == id);
    if (!format->needs_uidvalidity()) ASSERT(format->expand({7, 1, base, {}}) == id);
    ASSERT(format->expand({7, values.uidvalidity, base, base}) == id);  // the name is its own guid
}

}  // namespace restante::fuzz
