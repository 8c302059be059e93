#include "pop3/message_meter.h"

#include "base/text_lines.h"

namespace pop3 {

// Octets by themselves: the first two, what stands before which came with an earlier piece, and
// those where feed_run() stops, at most one more than the dots that are recorded.
void MessageMeter::feed(std::span<const char> in) {
    std::size_t next = 0;
    while (next < in.size()) {
        feed_octet(in[next++]);
        if (next < 2) continue;
        const std::uint64_t before_run = measure_.stored_octets;
        feed_run(in.subspan(next - 2));
        next += measure_.stored_octets - before_run;
        before_ = in[next - 1];
        before2_ = in[next - 2];
    }
}

void MessageMeter::feed_octet(char octet) {
    if (octet == '.' && before_ == '\n') {
        if (measure_.stuffed_dots < stuffed_dots_recorded_max) {
            measure_.stuffed_dot_at[measure_.stuffed_dots] = measure_.stored_octets;
        }
        ++measure_.stuffed_dots;
    }
    ++measure_.stored_octets;
    const bool is_blank = before_ == '\n' || (before_ == '\r' && before2_ == '\n');
    if (octet == '\n' && is_blank && !header_ended_) {
        header_ended_ = true;
        measure_.header_octets = measure_.stored_octets;
    }
    if (octet == '\n' && before_ != '\r') ++bare_lfs_;
    before2_ = before_;
    before_ = octet;
}

/// Octets after the first two, up to one that the measure needs to know the place of.
void MessageMeter::feed_run(std::span<const char> in) {
    const bool is_recording = measure_.stuffed_dots < stuffed_dots_recorded_max;
    const restante::ScannedLines run =
        restante::scan_lines(in, {.dots = is_recording, .blank_lines = !header_ended_});
    measure_.stored_octets += run.octets;
    measure_.stuffed_dots += run.dots;
    bare_lfs_ += run.bare_lfs;
}

MessageMeasure MessageMeter::finish() const {
    MessageMeasure measure = measure_;
    const bool at_line_start = before_ == '\n';
    measure.octets = Octets(measure.stored_octets + bare_lfs_ + (at_line_start ? 0 : 2));
    if (!header_ended_) measure.header_octets = measure.stored_octets;
    measure.wire_ready = at_line_start && bare_lfs_ == 0 && measure.stuffed_dots == 0;
    return measure;
}

}  // namespace pop3
