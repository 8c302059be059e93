/// DELE and RSET.

#include <cstdint>

#include <doctest/doctest.h>

#include "pop3/deletion_marks.h"

using pop3::DeletionMarks;
using pop3::MessageNumber;
using pop3::Octets;

TEST_CASE("RFC 1939 §4: a session starts with no messages marked as deleted") {
    const DeletionMarks marks(2);
    CHECK(marks.count() == 2);
    CHECK(marks.marked_count() == 0);
    CHECK(marks.marked_octets() == Octets(0));
    CHECK(!marks.is_marked(MessageNumber::at(0)));
    CHECK(!marks.is_marked(MessageNumber::at(1)));
}

TEST_CASE("the messages that exist are 1 to count") {
    const DeletionMarks none(0);
    CHECK(!none.exists(MessageNumber::at(0)));
    const DeletionMarks two(2);
    CHECK(two.exists(MessageNumber::at(0)));
    CHECK(two.exists(MessageNumber::at(1)));
    CHECK(!two.exists(MessageNumber::at(2)));
    CHECK(!two.exists(MessageNumber::at(4294967294U)));
}

TEST_CASE("RFC 1939 §5: every set of marks is counted, and RSET unmarks all of it") {
    constexpr std::uint32_t count = 6;
    for (unsigned set = 0; set < 1U << count; ++set) {
        DeletionMarks marks(count);
        std::uint32_t marked = 0;
        std::uint64_t octets = 0;
        for (std::uint32_t index = 0; index < count; ++index) {
            if ((set >> index & 1U) == 0) continue;
            marks.mark(MessageNumber::at(index), Octets(10U << index));
            ++marked;
            octets += 10U << index;
        }
        CHECK(marks.marked_count() == marked);
        CHECK(marks.marked_octets() == Octets(octets));
        CHECK(marks.count() == count);
        for (std::uint32_t index = 0; index < count; ++index) {
            CHECK(marks.is_marked(MessageNumber::at(index)) == ((set >> index & 1U) != 0));
        }
        marks.unmark_all();
        CHECK(marks.marked_count() == 0);
        CHECK(marks.marked_octets() == Octets(0));
        for (std::uint32_t index = 0; index < count; ++index) {
            CHECK(!marks.is_marked(MessageNumber::at(index)));
        }
    }
}

TEST_CASE("a message can be marked again after RSET") {
    DeletionMarks marks(1);
    marks.mark(MessageNumber::at(0), Octets(120));
    marks.unmark_all();
    marks.mark(MessageNumber::at(0), Octets(120));
    CHECK(marks.marked_count() == 1);
    CHECK(marks.marked_octets() == Octets(120));
}
