#pragma once
/// The lines of LIST and UIDL for message after message.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "pop3/limits.h"
#include "pop3/types.h"

namespace pop3 {

/// What a listing says of each message.
enum class Listing : std::uint8_t { octets, unique_ids };  // LIST, UIDL

/// Writes lines of consecutive messages, each as write_scan_listing() or write_unique_id_listing()
/// (reply.h) would. The message's number is counted up as text, which costs a fraction of writing
/// it anew.
class ListingWriter {
public:
    /// `target` outlives it. `first` is the number of the first message.
    ListingWriter(std::span<char> target, MessageNumber first);

    /// For one more line.
    bool has_room() const { return target_.size() - written_ >= short_line_octets_max; }
    /// The line of the next message; only where has_room().
    void add(Octets octets);
    /// `unique_id` has passed is_unique_id().
    void add(std::string_view unique_id);
    /// The next message has no line.
    void skip() { count_up(); }
    /// Octets in `target`.
    std::size_t written() const { return written_; }

private:
    /// Digits of the largest number, and the space after it.
    static constexpr std::size_t number_octets_max = 11;

    char* begin_line();
    void count_up();
    void lengthen();

    std::span<char> target_;
    std::size_t written_ = 0;
    char number_[16]{};          // and a space
    std::size_t number_octets_;  // with the space
};

}  // namespace pop3
