/// What the passes over text count and where they stop. Their octets: pop3_vector_passes_test.cc.

#include <string>
#include <string_view>

#include <doctest/doctest.h>

#include "base/text_lines.h"

using restante::LineStops;
using restante::scan_lines;
using restante::ScannedLines;

namespace {

constexpr std::string_view start = "x\n";  // stands before the text: a line starts

ScannedLines scanned(const std::string& text, LineStops stops) {
    return scan_lines(std::string(start) + text, stops);
}

const std::string header = "Subject: a\r\nTo: b\n\r\r\n";  // no line of it is blank
const std::string body = std::string(100, 'x') + "\n.dot\n\n";

}  // namespace

TEST_CASE("a scan without stops counts bare LFs and dots at the start of lines to the end") {
    const ScannedLines lines = scanned("." + header + body, {});
    CHECK(lines.octets == 1 + header.size() + body.size());
    CHECK(lines.bare_lfs == 4);
    CHECK(lines.dots == 2);
}

TEST_CASE("a scan for blank lines stops at their LF, and at no other line's") {
    const ScannedLines lf = scanned(header + "\n" + body, {.blank_lines = true});
    CHECK(lf.octets == header.size());
    CHECK(lf.bare_lfs == 1);
    const ScannedLines crlf = scanned(header + "\r\n" + body, {.blank_lines = true});
    CHECK(crlf.octets == header.size() + 1);
    CHECK(crlf.bare_lfs == 1);
    const ScannedLines none = scanned(header + header, {.blank_lines = true});
    CHECK(none.octets == 2 * header.size());
}

TEST_CASE("a scan for dots stops at the first that starts a line, and counts none") {
    const ScannedLines lines = scanned("a.b\n" + body, {.dots = true});
    CHECK(lines.octets == 105);
    CHECK(lines.bare_lfs == 2);
    CHECK(lines.dots == 0);
    CHECK(scanned(".", {.dots = true}).octets == 0);
}

TEST_CASE("what stands before a text decides what its first octets are") {
    const LineStops stops{.dots = true, .blank_lines = true};
    CHECK(scan_lines(std::string_view("\r\n\n"), stops).octets == 0);
    CHECK(scan_lines(std::string_view("\n\r\n"), stops).octets == 0);
    CHECK(scan_lines(std::string_view("\r\r\n"), stops).octets == 1);
    CHECK(scan_lines(std::string_view("x\r\n"), stops).bare_lfs == 0);
    CHECK(scan_lines(std::string_view("xx."), stops).octets == 1);
    CHECK(scan_lines(std::string_view("x\n"), stops).octets == 0);
}
