#include "pop3/head_cutter.h"

#include <cstring>

namespace pop3 {

std::size_t HeadCutter::feed(std::span<const char> in) {
    if (body_.is_all()) return in.size();
    const char* next = in.data();
    const char* after = next + in.size();
    while (next < after && !done_) {
        const auto left = static_cast<std::size_t>(after - next);
        const auto* line_feed = static_cast<const char*>(std::memchr(next, '\n', left));
        if (line_feed == nullptr) {
            line_is_cr_only_ = at_line_start_ && left == 1 && *next == '\r';
            at_line_start_ = false;
            return in.size();
        }
        const bool is_blank = (at_line_start_ && line_feed == next) ||
                              (line_is_cr_only_ && line_feed == next) ||
                              (at_line_start_ && line_feed == next + 1 && *next == '\r');
        end_line(is_blank);
        next = line_feed + 1;
    }
    return static_cast<std::size_t>(next - in.data());
}

void HeadCutter::end_line(bool is_blank) {
    if (in_body_) {
        ++body_lines_;
    } else {
        in_body_ = is_blank;
    }
    done_ = in_body_ && body_lines_ == body_.count();
    at_line_start_ = true;
    line_is_cr_only_ = false;
}

}  // namespace pop3
