#pragma once
/// What the vectorised passes over a message are held against: the same, an octet at a time.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "pop3/message_meter.h"

namespace pop3::test {

class PlainStuffer {
public:
    std::string feed(std::string_view in) {
        std::string out;
        for (const char octet : in) {
            if (octet == '.' && at_line_start_) out += '.';
            if (octet == '\n' && !after_cr_) {
                out += '\r';
                ++octets_;
            }
            out += octet;
            ++octets_;
            at_line_start_ = octet == '\n';
            after_cr_ = octet == '\r';
        }
        return out;
    }
    /// What the client would hold if the message ended here.
    std::uint64_t octets() const { return octets_ + (at_line_start_ ? 0 : 2); }

private:
    std::uint64_t octets_ = 0;
    bool at_line_start_ = true;
    bool after_cr_ = false;
};

inline MessageMeasure plain_measure(std::string_view message) {
    MessageMeasure measure;
    std::string_view line_so_far;
    std::uint64_t bare_lfs = 0;
    bool header_ended = false;
    std::size_t line_at = 0;
    for (std::size_t at = 0; at < message.size(); ++at) {
        line_so_far = message.substr(line_at, at - line_at);
        if (message[at] == '.' && line_so_far.empty()) {
            if (measure.stuffed_dots < stuffed_dots_recorded_max) {
                measure.stuffed_dot_at[measure.stuffed_dots] = at;
            }
            ++measure.stuffed_dots;
        }
        if (message[at] != '\n') continue;
        if (!line_so_far.ends_with('\r')) ++bare_lfs;
        if (!header_ended && (line_so_far.empty() || line_so_far == "\r")) {
            header_ended = true;
            measure.header_octets = at + 1;
        }
        line_at = at + 1;
    }
    const bool is_ended = line_at == message.size();
    measure.stored_octets = message.size();
    if (!header_ended) measure.header_octets = message.size();
    measure.octets = Octets(message.size() + bare_lfs + (is_ended ? 0 : 2));
    measure.wire_ready = is_ended && bare_lfs == 0 && measure.stuffed_dots == 0;
    return measure;
}

}  // namespace pop3::test
