#pragma once
/// Which messages of a session are marked as deleted (RFC 1939 §5, DELE and RSET).

#include <cstddef>
#include <cstdint>
#include <vector>

#include "pop3/types.h"

namespace pop3 {

/// Holds memory only once something is marked: most sessions mark nothing.
class DeletionMarks {
public:
    /// `count`: messages in the maildrop.
    explicit DeletionMarks(std::uint32_t count) : count_(count) {}

    bool exists(MessageNumber number) const { return number.index() < count_; }
    /// Only where exists().
    bool is_marked(MessageNumber number) const;
    /// Only where exists() and not yet is_marked(); `octets` are the message's.
    void mark(MessageNumber number, Octets octets);
    /// RSET.
    void unmark_all();

    std::uint32_t count() const { return count_; }  ///< of all messages
    std::uint32_t marked_count() const { return marked_count_; }
    Octets marked_octets() const { return marked_octets_; }

private:
    std::uint32_t count_;
    std::uint32_t marked_count_ = 0;
    Octets marked_octets_;
    std::vector<bool> marks_;
};

}  // namespace pop3
