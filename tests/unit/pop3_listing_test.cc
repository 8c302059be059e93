/// Many lines of LIST and UIDL, octet by octet as the lines of one.

#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "pop3/listing.h"
#include "pop3/reply.h"

using pop3::ListingWriter;
using pop3::MessageNumber;
using pop3::Octets;

namespace {

std::string unique_id(std::uint32_t index) {
    return std::string(1 + index % pop3::unique_id_octets_max, 'u');
}

std::string written(const std::vector<char>& target, const ListingWriter& lines) {
    return std::string(target.data(), lines.written());
}

}  // namespace

TEST_CASE("the lines of many messages are those of each, over every change of digits") {
    std::vector<char> target(1 << 20);
    for (const std::uint32_t first : {0U, 8U, 98U, 990U, 9'990U, 999'990U, 4'294'967'275U}) {
        CAPTURE(first);
        ListingWriter sizes(target, MessageNumber::at(first));
        std::string expected;
        std::vector<char> line(pop3::short_line_octets_max);
        for (std::uint32_t index = first; index < first + 19; ++index) {
            const Octets octets(std::uint64_t{index} * index);
            sizes.add(octets);
            expected.append(line.data(), pop3::write_scan_listing(MessageNumber::at(index), octets,
                                                                  false, line));
        }
        CHECK(written(target, sizes) == expected);
        ListingWriter ids(target, MessageNumber::at(first));
        expected.clear();
        for (std::uint32_t index = first; index < first + 19; ++index) {
            ids.add(unique_id(index));
            expected.append(line.data(),
                            pop3::write_unique_id_listing(MessageNumber::at(index),
                                                          unique_id(index), false, line));
        }
        CHECK(written(target, ids) == expected);
    }
}

TEST_CASE("a message without a line keeps its number") {
    std::vector<char> target(1024);
    ListingWriter lines(target, MessageNumber::at(8));
    lines.add(Octets(1));
    lines.skip();
    lines.add("id");
    CHECK(written(target, lines) == "9 1\r\n11 id\r\n");
}

TEST_CASE("nothing is written beyond the room for the longest line") {
    std::vector<char> target(3 * pop3::short_line_octets_max, '#');
    const std::span<char> room = std::span(target).first(2 * pop3::short_line_octets_max);
    ListingWriter lines(room, MessageNumber::at(4'294'967'290U));
    while (lines.has_room()) lines.add(std::string(pop3::unique_id_octets_max, 'u'));
    CHECK(lines.written() <= room.size());
    CHECK(target[room.size()] == '#');
    CHECK(target[lines.written() - 1] == '\n');
}
