/// One-line replies, octet by octet.

#include <array>
#include <limits>
#include <string>

#include <doctest/doctest.h>

#include "pop3/limits.h"
#include "pop3/reply.h"

using pop3::MessageNumber;
using pop3::Octets;
using pop3::Reply;
using pop3::ResponseCode;

namespace {

/// What `write(target)` wrote; nothing beyond it may change.
template <class Write>
std::string written(Write write) {
    std::array<char, pop3::response_line_octets_max + 8> target;
    target.fill('#');
    const std::size_t octets = write(std::span<char>(target));
    REQUIRE(octets <= pop3::response_line_octets_max);
    CHECK(target[octets] == '#');
    return std::string(target.data(), octets);
}

std::string line(Reply reply) {
    return written([&](std::span<char> target) { return pop3::write_reply(reply, target); });
}

constexpr std::uint64_t largest = std::numeric_limits<std::uint64_t>::max();

}  // namespace

TEST_CASE("RFC 1939 §3: a reply is +OK or -ERR in upper case, a text, and CRLF") {
    CHECK(line(Reply::ok()) == "+OK\r\n");
    CHECK(line(Reply::ok("bye")) == "+OK bye\r\n");
    CHECK(line(Reply::err("no such message")) == "-ERR no such message\r\n");
    CHECK(line(Reply::err("")) == "-ERR\r\n");
}

TEST_CASE("RFC 2449 §8, RFC 3206 §4: a response code stands in brackets before the text") {
    CHECK(line(Reply::err(ResponseCode::none, "no")) == "-ERR no\r\n");
    CHECK(line(Reply::err(ResponseCode::in_use, "no")) == "-ERR [IN-USE] no\r\n");
    CHECK(line(Reply::err(ResponseCode::sys_temp, "no")) == "-ERR [SYS/TEMP] no\r\n");
    CHECK(line(Reply::err(ResponseCode::sys_perm, "no")) == "-ERR [SYS/PERM] no\r\n");
    CHECK(line(Reply::err(ResponseCode::auth, "no")) == "-ERR [AUTH] no\r\n");
}

TEST_CASE("RFC 1939 §3: a reply of 512 octets fits, CRLF included") {
    const std::string text(pop3::response_line_octets_max - sizeof("+OK \r\n") + 1, 'x');
    CHECK(line(Reply::ok(text)).size() == pop3::response_line_octets_max);
}

TEST_CASE("RFC 1939 §5: drop listings and scan listings have single spaces and nothing more") {
    const auto stat = [](std::uint64_t count, Octets octets) {
        return written(
            [&](std::span<char> target) { return pop3::write_stat(count, octets, target); });
    };
    CHECK(stat(2, Octets(320)) == "+OK 2 320\r\n");
    CHECK(stat(0, Octets()) == "+OK 0 0\r\n");
    CHECK(stat(largest, Octets(largest)) == "+OK 18446744073709551615 18446744073709551615\r\n");

    const auto scan = [](MessageNumber number, Octets octets, bool ok) {
        return written([&](std::span<char> target) {
            return pop3::write_scan_listing(number, octets, ok, target);
        });
    };
    CHECK(scan(MessageNumber::at(1), Octets(200), false) == "2 200\r\n");
    CHECK(scan(MessageNumber::at(1), Octets(200), true) == "+OK 2 200\r\n");
    CHECK(scan(MessageNumber::at(4294967294U), Octets(largest), true) ==
          "+OK 4294967295 18446744073709551615\r\n");
    CHECK(written([](std::span<char> target) { return pop3::write_octets(Octets(120), target); }) ==
          "+OK 120 octets\r\n");
}

TEST_CASE("RFC 1939 §7: a unique-id listing is the number, a space and the unique-id") {
    const auto listing = [](MessageNumber number, std::string_view id, bool ok) {
        return written([&](std::span<char> target) {
            return pop3::write_unique_id_listing(number, id, ok, target);
        });
    };
    CHECK(listing(MessageNumber::at(1), "QhdPYR:00WBw1Ph7x7", false) == "2 QhdPYR:00WBw1Ph7x7\r\n");
    CHECK(listing(MessageNumber::at(1), "QhdPYR:00WBw1Ph7x7", true) ==
          "+OK 2 QhdPYR:00WBw1Ph7x7\r\n");
    const std::string longest(pop3::unique_id_octets_max, '~');
    CHECK(listing(MessageNumber::at(4294967294U), longest, true) ==
          "+OK 4294967295 " + longest + "\r\n");
}

TEST_CASE("RFC 1939 §3: a multi-line response ends with the termination octet and CRLF") {
    CHECK(pop3::termination == ".\r\n");
}
