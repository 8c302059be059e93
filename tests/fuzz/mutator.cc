#include "fuzz/mutator.h"

#include <string_view>
#include <utility>

namespace restante::fuzz {
namespace {

constexpr std::size_t changes_max = 8;
constexpr std::size_t part_octets_max = 64;
using namespace std::string_view_literals;

/// Octets that mean something to one parser or another.
constexpr std::string_view odd_octets = "\0\x01\n\r\t \"'%*,./:;=[\\]{}<>@#09AMaz~\x7F\x80\xFF"sv;

}  // namespace

std::string Mutator::next(std::size_t octets_max) {
    std::string text = any();
    for (std::size_t changes = 1 + below(changes_max); changes > 0; --changes) change(text);
    if (text.size() > octets_max) text.resize(octets_max);
    return text;
}

std::string Mutator::part_of(const std::string& text) {
    if (text.empty()) return {};
    return text.substr(below(text.size()), 1 + below(part_octets_max));
}

void Mutator::change(std::string& text) {
    const std::size_t at = below(text.size() + 1);
    const std::size_t kind = below(text.size() == at ? 3 : 8);
    switch (kind) {
        case 0: text.insert(at, 1, odd_octets[below(odd_octets.size())]); break;
        case 1: text.insert(at, part_of(any())); break;
        case 2: text.insert(at, part_of(text)); break;
        case 3: text[at] = odd_octets[below(odd_octets.size())]; break;
        case 4: text[at] = static_cast<char>(text[at] ^ (1 << below(8))); break;
        case 5: text[at] = static_cast<char>(below(256)); break;
        case 6: text.erase(at, 1 + below(part_octets_max)); break;
        default: std::swap(text[at], text[below(text.size())]); break;
    }
}

}  // namespace restante::fuzz
