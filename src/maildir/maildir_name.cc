#include "maildir/maildir_name.h"

#include <algorithm>

#include "maildir/content_digest.h"
#include "pop3/types.h"

namespace restante {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::size_t count_digits(std::string_view text) {
    return static_cast<std::size_t>(std::ranges::find_if_not(text, is_digit) - text.begin());
}

std::string_view without_leading_zeros(std::string_view digits) {
    digits.remove_prefix(std::min(digits.find_first_not_of('0'), digits.size()));
    return digits;
}

std::strong_ordering compare_numbers(std::string_view digits, std::string_view other) {
    if (digits.size() != other.size()) return digits.size() <=> other.size();
    return digits.compare(other) <=> 0;
}

std::string_view leading_number(std::string_view text) {
    return without_leading_zeros(text.substr(0, count_digits(text)));
}

// The digits after 'M' in "M123P4", "V801I2a4M123" ...: codes are an upper-case letter or '#' and a
// number, which Postfix writes in hex.
std::string_view microseconds_code(std::string_view unique_part) {
    static constexpr std::string_view codes = "#XRIVPQ";
    while (!unique_part.empty()) {
        const char code = unique_part.front();
        unique_part.remove_prefix(1);
        if (code == 'M') return leading_number(unique_part);
        if (!codes.contains(code)) return {};
        const std::size_t after = unique_part.find_first_not_of("0123456789abcdef");
        if (after == std::string_view::npos) return {};
        unique_part.remove_prefix(after);
    }
    return {};
}

// Octets of a size part (",S=123") at the start of `text`; 0 when there is none.
std::size_t size_part_octets(std::string_view text) {
    static constexpr std::size_t prefix_octets = 3;
    if (!text.starts_with(",S=") && !text.starts_with(",W=")) return 0;
    const std::size_t digits = count_digits(text.substr(prefix_octets));
    const std::size_t octets = prefix_octets + digits;
    if (digits == 0) return 0;
    if (octets < text.size() && text[octets] != ',') return 0;
    return octets;
}

}  // namespace

std::string_view base_name(std::string_view file_name) {
    return file_name.substr(0, file_name.find(':'));
}

bool is_message_name(std::string_view file_name) {
    return !file_name.empty() && !file_name.starts_with('.');
}

ArrivalKey::ArrivalKey(std::string_view base, Precision precision) : base_(base) {
    const std::size_t digits = count_digits(base);
    seconds_ = without_leading_zeros(base.substr(0, digits));
    if (precision == Precision::seconds) return;
    if (digits > 0 && base.substr(digits).starts_with('.')) {
        microseconds_ = microseconds_code(base.substr(digits + 1));
    }
}

std::strong_ordering operator<=>(const ArrivalKey& a, const ArrivalKey& b) {
    const std::strong_ordering by_second = compare_numbers(a.seconds_, b.seconds_);
    if (by_second != 0) return by_second;
    const std::strong_ordering by_microsecond = compare_numbers(a.microseconds_, b.microseconds_);
    if (by_microsecond != 0) return by_microsecond;
    return a.base_.compare(b.base_) <=> 0;
}

std::string_view name_for_unique_id(std::string_view base, std::string& scratch) {
    const std::size_t first_part = base.find(',');
    if (first_part == std::string_view::npos) return base;
    scratch.assign(base.substr(0, first_part));
    for (std::size_t at = first_part; at < base.size();) {
        const std::size_t part_octets = size_part_octets(base.substr(at));
        if (part_octets == 0) scratch += base[at];
        at += std::max<std::size_t>(part_octets, 1);
    }
    return scratch;
}

std::string_view filename_unique_id(std::string_view base, std::string& scratch) {
    if (pop3::is_unique_id(base)) return base;
    scratch = name_hash_unique_id(base);
    return scratch;
}

std::string_view derived_unique_id(std::string_view base, std::string& scratch) {
    return filename_unique_id(name_for_unique_id(base, scratch), scratch);
}

std::string name_hash_unique_id(std::string_view name) {
    ContentDigest digest;
    digest.feed(name);
    return hex_of(digest.finish(), unique_id_hash_octets);
}

}  // namespace restante
