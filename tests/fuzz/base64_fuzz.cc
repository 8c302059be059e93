// What decodes is exactly what encoding gives, in either alphabet; all octets survive the way there
// and back.
#include <algorithm>
#include <optional>
#include <string>

#include "auth/base64_url.h"
#include "base/assert.h"
#include "base/base64.h"
#include "fuzz/target.h"

namespace restante::fuzz {
namespace {

std::string with_url_alphabet(std::string text) {
    std::ranges::replace(text, '+', '-');
    std::ranges::replace(text, '/', '_');
    text.erase(std::min(text.find('='), text.size()));
    return text;
}

}  // namespace

void fuzz_base64(std::string_view input) {
    const std::string text = base64_encode(input);
    ASSERT(text.size() == (input.size() + 2) / 3 * 4);
    ASSERT(base64_decode(text) == input);
    ASSERT(base64_url_decode(with_url_alphabet(text)) == input);

    const std::optional<std::string> octets = base64_decode(input);
    if (octets) ASSERT(base64_encode(*octets) == input);
    const std::optional<std::string> url_octets = base64_url_decode(input);
    if (url_octets) ASSERT(with_url_alphabet(base64_encode(*url_octets)) == input);
}

}  // namespace restante::fuzz
