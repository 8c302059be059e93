#pragma once
/// A server's answers, read octet by octet as they come (RFC 1939 §3): pure, no I/O. Not the
/// server's own code: a mistake there must not hide itself here.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace pop3load {

/// Reads one answer: a status line, and for a multi-line answer the lines up to the single dot.
class AnswerReader {
public:
    enum class Shape : std::uint8_t {
        single,      ///< the status line only
        multi_line,  ///< after +OK, lines up to "."
    };
    /// What is done with the lines after the status.
    enum class Content : std::uint8_t {
        count,    ///< counted
        collect,  ///< counted, and kept in content() without byte-stuffing
    };
    enum class State : std::uint8_t { reading, complete, malformed };

    void begin(Shape shape, Content content);
    /// Takes octets from the front of `arrived` until the answer ends; removes what it took.
    State feed(std::string_view& arrived);

    bool is_ok() const { return is_ok_; }
    /// The status line without its line end; valid until begin().
    std::string_view status() const { return status_; }
    /// Octets of the lines, byte-stuffing undone, line ends included, the last line not.
    std::uint64_t octets() const { return octets_; }
    /// Whether an octet after the status line has come.
    bool has_content_begun() const { return octets_ > 0 || phase_ == Phase::complete; }
    std::string_view content() const { return content_; }
    /// What is malformed, in words.
    const char* complaint() const { return complaint_; }

private:
    enum class Phase : std::uint8_t { status, line_start, after_dot, after_dot_cr, line, complete };

    State read_status(std::string_view& arrived);
    State read_lines(std::string_view& arrived);
    bool read_dot(char octet);
    bool read_line(std::string_view& arrived);
    void take(std::string_view octets);
    State complain(const char* complaint);

    Shape shape_ = Shape::single;
    Content content_wanted_ = Content::count;
    Phase phase_ = Phase::status;
    bool is_ok_ = false;
    bool last_was_cr_ = false;  // in `line`
    std::uint64_t octets_ = 0;
    std::string status_;
    std::string content_;
    const char* complaint_ = "";
};

}  // namespace pop3load
