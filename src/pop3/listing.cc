#include "pop3/listing.h"

#include <charconv>
#include <cstring>

#include "base/assert.h"

namespace pop3 {

ListingWriter::ListingWriter(std::span<char> target, MessageNumber first) : target_(target) {
    const auto [after, failure] =
        std::to_chars(number_, number_ + number_octets_max - 1, first.value());
    ASSERT(failure == std::errc());
    *after = ' ';
    number_octets_ = static_cast<std::size_t>(after - number_) + 1;
}

void ListingWriter::add(Octets octets) {
    char* const text = begin_line();
    const auto [after, failure] =
        std::to_chars(text, target_.data() + target_.size(), octets.value());
    ASSERT(failure == std::errc());
    std::memcpy(after, "\r\n", 2);
    written_ = static_cast<std::size_t>(after - target_.data()) + 2;
}

void ListingWriter::add(std::string_view unique_id) {
    ASSERT(unique_id.size() <= unique_id_octets_max);
    char* const text = begin_line();
    std::memcpy(text, unique_id.data(), unique_id.size());
    std::memcpy(text + unique_id.size(), "\r\n", 2);
    written_ = static_cast<std::size_t>(text - target_.data()) + unique_id.size() + 2;
}

// All of number_: a copy of constant length is one instruction, and there is room.
char* ListingWriter::begin_line() {
    ASSERT(has_room());
    char* const line = target_.data() + written_;
    std::memcpy(line, number_, sizeof number_);
    char* const text = line + number_octets_;
    count_up();
    return text;
}

void ListingWriter::count_up() {
    for (std::size_t at = number_octets_ - 1; at > 0; --at) {
        if (number_[at - 1] != '9') {
            ++number_[at - 1];
            return;
        }
        number_[at - 1] = '0';
    }
    lengthen();
}

/// After 9, 99, ..., which are zeros by now.
void ListingWriter::lengthen() {
    ASSERT(number_octets_ < number_octets_max);
    number_[0] = '1';
    number_[number_octets_ - 1] = '0';
    number_[number_octets_] = ' ';
    ++number_octets_;
}

}  // namespace pop3
