#include "pop3/message_meter.h"

#include <cstring>

namespace pop3 {

// The position in the file is measure_.stored_octets, moved on by one piece of a line at a time.
void MessageMeter::feed(std::span<const char> in) {
    const char* next = in.data();
    const char* after = next + in.size();
    while (next < after) {
        const auto left = static_cast<std::size_t>(after - next);
        const auto* line_feed = static_cast<const char*>(std::memchr(next, '\n', left));
        const char* content_end = line_feed != nullptr ? line_feed : after;
        feed_content({next, content_end});
        if (line_feed == nullptr) return;
        feed_line_feed();
        next = line_feed + 1;
    }
}

void MessageMeter::feed_content(std::span<const char> in) {
    if (in.empty()) return;
    if (at_line_start_ && in.front() == '.') {
        if (measure_.stuffed_dots < stuffed_dots_recorded_max) {
            measure_.stuffed_dot_at[measure_.stuffed_dots] = measure_.stored_octets;
        }
        ++measure_.stuffed_dots;
    }
    after_cr_ = in.back() == '\r';
    line_is_cr_only_ = at_line_start_ && in.size() == 1 && after_cr_;
    at_line_start_ = false;
    measure_.stored_octets += in.size();
}

void MessageMeter::feed_line_feed() {
    ++measure_.stored_octets;
    if (!after_cr_) ++bare_lfs_;
    if (!header_ended_ && (at_line_start_ || line_is_cr_only_)) {
        header_ended_ = true;
        measure_.header_octets = measure_.stored_octets;
    }
    at_line_start_ = true;
    line_is_cr_only_ = false;
    after_cr_ = false;
}

MessageMeasure MessageMeter::finish() const {
    MessageMeasure measure = measure_;
    const std::uint64_t final_line_end = at_line_start_ ? 0 : 2;
    measure.octets = Octets(measure.stored_octets + bare_lfs_ + final_line_end);
    if (!header_ended_) measure.header_octets = measure.stored_octets;
    measure.wire_ready = at_line_start_ && bare_lfs_ == 0 && measure.stuffed_dots == 0;
    return measure;
}

}  // namespace pop3
