#include "answer.h"

namespace pop3load {
namespace {

/// Longest status line that is read (RFC 2449 §4: 512 with its line end; servers greet longer).
constexpr std::size_t status_octets_max = 4096;

/// "+OK" or "-ERR" alone or before a blank (RFC 1939 §3): "+OKAY" is neither.
bool begins_with_word(std::string_view line, std::string_view word) {
    return line.starts_with(word) && (line.size() == word.size() || line[word.size()] == ' ');
}

}  // namespace

void AnswerReader::begin(Shape shape, Content content) {
    shape_ = shape;
    content_wanted_ = content;
    phase_ = Phase::status;
    is_ok_ = false;
    last_was_cr_ = false;
    octets_ = 0;
    status_.clear();
    content_.clear();
    complaint_ = "";
}

AnswerReader::State AnswerReader::feed(std::string_view& arrived) {
    if (phase_ == Phase::status) {
        const State state = read_status(arrived);
        if (state != State::reading || phase_ == Phase::status) return state;
    }
    return read_lines(arrived);
}

AnswerReader::State AnswerReader::read_status(std::string_view& arrived) {
    const std::size_t end = arrived.find('\n');
    status_ += arrived.substr(0, end);
    if (status_.size() > status_octets_max) return complain("a status line without end");
    if (end == std::string_view::npos) {
        arrived = {};
        return State::reading;
    }
    arrived.remove_prefix(end + 1);
    if (!status_.ends_with('\r')) return complain("a status line that ends in LF alone");
    status_.pop_back();
    is_ok_ = begins_with_word(status_, "+OK");
    if (!is_ok_ && !begins_with_word(status_, "-ERR") && !begins_with_word(status_, "+"))
        return complain("a status line with neither +OK nor -ERR");
    const bool has_lines = shape_ == Shape::multi_line && is_ok_;
    phase_ = has_lines ? Phase::line_start : Phase::complete;
    return has_lines ? State::reading : State::complete;
}

AnswerReader::State AnswerReader::read_lines(std::string_view& arrived) {
    while (!arrived.empty() && phase_ != Phase::complete) {
        if (phase_ == Phase::line) {
            if (!read_line(arrived)) return complain("a line that ends in LF alone");
            continue;
        }
        const char octet = arrived.front();
        if (phase_ == Phase::line_start && octet != '.') {
            phase_ = Phase::line;
            last_was_cr_ = false;
            continue;
        }
        arrived.remove_prefix(1);
        if (!read_dot(octet)) return complain("a line that ends in LF alone");
    }
    return phase_ == Phase::complete ? State::complete : State::reading;
}

// After the dot at the beginning of a line: the end, or the dot was stuffing.
bool AnswerReader::read_dot(char octet) {
    switch (phase_) {
        case Phase::line_start: phase_ = Phase::after_dot; return true;
        case Phase::after_dot:
            if (octet == '\r') {
                phase_ = Phase::after_dot_cr;
                return true;
            }
            take({&octet, 1});
            phase_ = Phase::line;
            last_was_cr_ = false;
            return octet != '\n';
        default:
            if (octet == '\n') {
                phase_ = Phase::complete;
                return true;
            }
            take("\r");
            take({&octet, 1});
            phase_ = Phase::line;
            last_was_cr_ = octet == '\r';
            return true;
    }
}

// To the end of the line or of what arrived.
bool AnswerReader::read_line(std::string_view& arrived) {
    const std::size_t end = arrived.find('\n');
    const bool ends = end != std::string_view::npos;
    const std::string_view part = arrived.substr(0, ends ? end + 1 : end);
    const bool has_cr = ends && (end > 0 ? arrived[end - 1] == '\r' : last_was_cr_);
    take(part);
    last_was_cr_ = part.back() == '\r';
    arrived.remove_prefix(part.size());
    if (ends) phase_ = Phase::line_start;
    return !ends || has_cr;
}

void AnswerReader::take(std::string_view octets) {
    octets_ += octets.size();
    if (content_wanted_ == Content::collect) content_ += octets;
}

AnswerReader::State AnswerReader::complain(const char* complaint) {
    complaint_ = complaint;
    return State::malformed;
}

}  // namespace pop3load
