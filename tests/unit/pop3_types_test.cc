/// The numbers of the wire.

#include <cstdint>
#include <limits>
#include <string>

#include <doctest/doctest.h>

#include "pop3/limits.h"
#include "pop3/types.h"

using pop3::BodyLines;
using pop3::is_unique_id;
using pop3::MessageNumber;

TEST_CASE("a message-number is decimal, 1 or more, of 32 bits") {
    const auto value = [](std::string_view digits) -> std::uint64_t {
        const auto number = MessageNumber::parse(digits);
        REQUIRE(number);
        return number->value();
    };
    CHECK(value("1") == 1);
    CHECK(value("42") == 42);
    CHECK(value("4294967295") == std::numeric_limits<std::uint32_t>::max());
    CHECK(value("000000000000000000000000000007") == 7);
    for (const char* refused : {"", "0", "00000", "4294967296", "4294967297",
                                "18446744073709551617", "99999999999999999999", "-1", "+1", " 1",
                                "1 ", "1a", "a1", "0x1", "1.0", "1e3", "\xD9\xA1"}) {
        CAPTURE(refused);
        CHECK(!MessageNumber::parse(refused));
    }
    CHECK(!MessageNumber::parse(std::string_view("1\0", 2)));
}

TEST_CASE("message-numbers count from 1, indexes from 0") {
    CHECK(MessageNumber::at(0).value() == 1);
    CHECK(MessageNumber::at(0).index() == 0);
    CHECK(MessageNumber::parse("7") == MessageNumber::at(6));
    CHECK(MessageNumber::at(4294967294U).value() == 4294967295U);
    CHECK(MessageNumber::at(1) < MessageNumber::at(2));
}

TEST_CASE("RFC 1939 §7: TOP's second argument is a non-negative number, 0 is not all") {
    REQUIRE(BodyLines::parse("0"));
    CHECK(!BodyLines::parse("0")->is_all());
    CHECK(BodyLines::parse("0")->count() == 0);
    CHECK(BodyLines::parse("0010")->count() == 10);
    CHECK(BodyLines::all().is_all());
    const std::uint64_t largest = std::numeric_limits<std::uint64_t>::max();
    CHECK(BodyLines::parse("18446744073709551615")->count() == largest);
    CHECK(BodyLines::parse("18446744073709551616")->count() == largest);
    CHECK(BodyLines::parse(std::string(200, '9'))->count() == largest);
    for (const char* refused :
         {"", "-1", "+1", " 1", "1 ", "ten", "1x", "99999999999999999999999x"}) {
        CAPTURE(refused);
        CHECK(!BodyLines::parse(refused));
    }
}

TEST_CASE("RFC 1939 §7: a unique-id has 1 to 70 octets of 0x21 to 0x7E") {
    CHECK(!is_unique_id(""));
    CHECK(is_unique_id(std::string(pop3::unique_id_octets_max, 'x')));
    CHECK(!is_unique_id(std::string(pop3::unique_id_octets_max + 1, 'x')));
    for (int value = 0; value < 256; ++value) {
        const std::string id = {'a', static_cast<char>(value), 'b'};
        CAPTURE(value);
        CHECK(is_unique_id(id) == (value >= 0x21 && value <= 0x7E));
    }
}
