#pragma once
/// TOP: how much of a message is sent.

#include <cstddef>
#include <cstdint>
#include <span>

#include "pop3/types.h"

namespace pop3 {

/// Finds where the headers, the blank line and the first lines of the body end (RFC 1939 §7, TOP).
/// A message without a blank line is all headers. Any split of the input gives the same end.
class HeadCutter {
public:
    explicit HeadCutter(BodyLines body) : body_(body) {}
    /// How many octets of `in` still belong to it: all, or fewer where done() is now true.
    std::size_t feed(std::span<const char> in);
    bool done() const { return done_; }

private:
    void end_line(bool is_blank);

    BodyLines body_;
    std::uint64_t body_lines_ = 0;
    bool in_body_ = false;
    bool at_line_start_ = true;
    bool line_is_cr_only_ = false;
    bool done_ = false;
};

}  // namespace pop3
