#include <doctest/doctest.h>

#include <random>
#include <string>
#include <vector>

#include "maildir/courier_sizelist.h"
#include "maildir/dovecot_uidlist.h"

namespace restante {
namespace {

template <class List>
std::vector<std::uint32_t> lines_of(const List& list) {
    std::vector<std::uint32_t> lines;
    for (const ListComplaint& complaint : list.complaints().kept()) lines.push_back(complaint.line);
    return lines;
}

std::vector<std::uint32_t> uids_of(const DovecotUidlist& list) {
    std::vector<std::uint32_t> uids;
    for (const UidlistEntry& entry : list.entries()) uids.push_back(entry.uid);
    return uids;
}

TEST_CASE("dovecot-uidlist v3: uid, stored unique-id, order and guid by base name") {
    const DovecotUidlist list = DovecotUidlist::parse(
        "3 V1130000000 N30 G3085f01b7f11094c501100008c4a11c1\n"
        "25 :1.a.host,S=5:2,S\n"
        "26 S5 W6 Pold-id O7 G0123 Zfuture :2.b.host,S=5:2,\n"
        "27 P :3.c.host:with colons: and spaces\n");
    CHECK(list.complaints().total() == 0);
    CHECK(list.uidvalidity() == 1130000000);
    CHECK(uids_of(list) == std::vector<std::uint32_t>{25, 26, 27});
    const UidlistEntry* plain = list.find("1.a.host,S=5");
    REQUIRE(plain != nullptr);
    CHECK(plain->uid == 25);
    CHECK_FALSE(plain->pop3_uid.has_value());
    CHECK_FALSE(plain->pop3_order.has_value());
    CHECK(plain->guid.empty());
    const UidlistEntry* rich = list.find("2.b.host,S=5");
    REQUIRE(rich != nullptr);
    CHECK(rich->pop3_uid == "old-id");
    CHECK(rich->pop3_order == 7);
    CHECK(rich->guid == "0123");
    REQUIRE(list.find("3.c.host") != nullptr);
    CHECK(list.find("3.c.host")->pop3_uid == "");  // the base name is it
    CHECK(list.find("1.a.host") == nullptr);
}

TEST_CASE("dovecot-uidlist v3: the file name is the first field that starts with ':'") {
    const DovecotUidlist list = DovecotUidlist::parse("3 V1 N9\n5 Pa:b  S1 :name with space :2,\n");
    REQUIRE(list.find("name with space ") != nullptr);
    CHECK(list.find("name with space ")->pop3_uid == "a:b");
    CHECK(list.complaints().total() == 0);
}

TEST_CASE("dovecot-uidlist v1 and Courier's courierimapuiddb") {
    const DovecotUidlist list = DovecotUidlist::parse("1 1130000000 28\n26 1.a:2,S\n27 :odd\n");
    CHECK(list.uidvalidity() == 1130000000);
    REQUIRE(list.find("1.a") != nullptr);
    CHECK(list.find("1.a")->uid == 26);
    CHECK(list.complaints().total() == 1);  // a name must not be empty
}

TEST_CASE("dovecot-uidlist: of two lines with one name the later counts") {
    const DovecotUidlist list =
        DovecotUidlist::parse("3 V1 N9\n1 :a:2,\n2 :b\n3 :a:2,S\n4 :c\n5 :a\n");
    CHECK(uids_of(list) == std::vector<std::uint32_t>{2, 4, 5});
    CHECK(list.find("a")->uid == 5);
    CHECK(list.find("b")->uid == 2);
    CHECK(list.find("c")->uid == 4);
    CHECK(list.complaints().total() == 0);
}

TEST_CASE("dovecot-uidlist: bad lines are complaints, the good ones count") {
    const DovecotUidlist list = DovecotUidlist::parse(
        "3 V1 N9\n1 :a\nrubbish\n0 :zero\n4294967295 :too-large\n-3 :b\n\n2 S5\n7 lower :c\n8 Ox "
        ":d\n"
        "12345678901234567890 :e\n9 :f\n");
    CHECK(uids_of(list) == std::vector<std::uint32_t>{1, 7, 8, 9});
    CHECK(lines_of(list) == std::vector<std::uint32_t>{3, 4, 5, 6, 7, 8, 9, 10, 11});
    CHECK_FALSE(list.find("d")->pop3_order.has_value());
}

TEST_CASE(
    "dovecot-uidlist: uids that do not ascend are salvaged; of one uid the first line counts") {
    const DovecotUidlist list =
        DovecotUidlist::parse("3 V1 N9\n1 :a\n900000 :b\n2 :c\n1 :d\n3 :e\n2 :e\n");
    // "e" is uid 2 by its later line, but uid 2 is c's.
    CHECK(uids_of(list) == std::vector<std::uint32_t>{1, 2, 900000});
    CHECK(list.find("a")->uid == 1);
    CHECK(list.find("c")->uid == 2);
    CHECK(list.find("b")->uid == 900000);
    CHECK(list.find("d") == nullptr);
    CHECK(list.complaints().total() > 0);
}

TEST_CASE("dovecot-uidlist: a header that is not understood costs the uidvalidity, not the lines") {
    for (const std::string header :
         {"3 N9\n", "3 V0 N9\n", "3 Vx N9\n", "3\n", "2 V1 N9\n", "26\n", "\n", "x\n", ""}) {
        CAPTURE(header);
        const std::string text = header + "26 Pold :1.a:2,S\n";
        const DovecotUidlist list = DovecotUidlist::parse(text);
        CHECK_FALSE(list.uidvalidity().has_value());
        REQUIRE(list.find("1.a") != nullptr);
        CHECK(list.find("1.a")->pop3_uid == "old");
        CHECK(list.complaints().total() >= 1);
    }
    for (const std::string text : {"1 :1.a\n2 :2.b\n", "3 Px :1.a\n4 :2.b\n"}) {  // none at all
        CHECK(DovecotUidlist::parse(text).entries().size() == 2);
    }
    CHECK(DovecotUidlist::parse("").entries().empty());
    CHECK(DovecotUidlist::parse("3 V1 N0\n1 :a\n").complaints().total() == 1);
}

TEST_CASE("dovecot-uidlist: a line that is being appended harms no other") {
    const std::string whole = "3 V1 N9\n1 :1.a\n2 Pkept :2.b\n3 Pnew S12 W13 :3.c:2,S\n";
    for (std::size_t cut = whole.find("\n3 P") + 1; cut < whole.size(); ++cut) {
        const std::string text = whole.substr(0, cut);
        const DovecotUidlist list = DovecotUidlist::parse(text);
        CAPTURE(cut);
        CHECK(list.uidvalidity() == 1);
        REQUIRE(list.find("2.b") != nullptr);
        CHECK(list.find("2.b")->pop3_uid == "kept");
        if (const UidlistEntry* torn = list.find("3.c")) CHECK(torn->pop3_uid == "new");
    }
}

TEST_CASE("complaints are bounded; their number is not") {
    std::string text = "3 V1 N9\n";
    for (int i = 0; i < 1000; ++i) text += "bad\n";
    const DovecotUidlist list = DovecotUidlist::parse(text);
    CHECK(list.complaints().total() == 1000);
    CHECK(list.complaints().kept().size() == ListComplaints::kept_max);
}

TEST_CASE("courierpop3dsizelist v0: the unique-id is the base name, escaped") {
    const CourierSizelist list =
        CourierSizelist::parse("1.M2P3.host,S=5:2,S 120\na 'b\"+\x7f\xe9 7\n");
    CHECK(list.complaints().total() == 0);
    REQUIRE(list.find("1.M2P3.host,S=5") != nullptr);
    CHECK(courier_unique_id(*list.find("1.M2P3.host,S=5")) == "1.M2P3.host,S=5");
    REQUIRE(list.find("a 'b\"+\x7f\xe9") != nullptr);
    CHECK(courier_unique_id(*list.find("a 'b\"+\x7f\xe9")) == "a+20+27b+22+2B+7F+E9");
}

TEST_CASE("courierpop3dsizelist v1: UID<uid>") {
    const CourierSizelist list = CourierSizelist::parse("/1 28\n1.a:2,S 120 26\n2.b 130 0\n");
    CHECK(courier_unique_id(*list.find("1.a")) == "UID26");
    CHECK(courier_unique_id(*list.find("2.b")) == "2.b");
    CHECK(list.complaints().total() == 0);
}

TEST_CASE("courierpop3dsizelist v2: UID<uid>-<uidvalidity>, without uidvalidity 0") {
    const CourierSizelist list = CourierSizelist::parse(
        "/2 28 1130000000\n1.a:2,S 120 26:1130000000\n2.b 130 27:0\n3.c 5 0:9\n");
    CHECK(courier_unique_id(*list.find("1.a")) == "UID26-1130000000");
    CHECK(courier_unique_id(*list.find("2.b")) == "UID27");
    CHECK(courier_unique_id(*list.find("3.c")) == "3.c");
    CHECK(list.complaints().total() == 0);
}

TEST_CASE("courierpop3dsizelist v3: as v2, with a mark") {
    const CourierSizelist list = CourierSizelist::parse(
        "/3 28 1130000000\n1.a:2,S 120 26:1130000000:0\nname with space:2, 130 27:1130000000:1\n");
    CHECK(courier_unique_id(*list.find("1.a")) == "UID26-1130000000");
    CHECK(courier_unique_id(*list.find("name with space")) == "UID27-1130000000");
    CHECK(list.complaints().total() == 0);
}

TEST_CASE("courierpop3dsizelist: bad and torn lines are complaints, the good ones count") {
    const CourierSizelist list = CourierSizelist::parse(
        "/3 9 5\n1.a 120 1:5:0\n2.b 120 2:5\n3.c x 3:5:0\n4.d 4:5:0\n 1 5:5:0\n6.f 1 6:x:0\n7.g "
        "120 7:5:0\n"
        "8.h 1 8:5:0");
    CHECK(lines_of(list) == std::vector<std::uint32_t>{3, 4, 5, 6, 7, 9});
    CHECK(list.entries().size() == 2);
    CHECK(courier_unique_id(*list.find("7.g")) == "UID7-5");
    const CourierSizelist odd = CourierSizelist::parse("/9 x\n1.a 120 1:5:0\n2.b 120 2\n");
    CHECK(courier_unique_id(*odd.find("1.a")) == "UID1-5");
    CHECK(courier_unique_id(*odd.find("2.b")) == "UID2");
    CHECK(lines_of(odd) == std::vector<std::uint32_t>{1});
}

TEST_CASE("courierpop3dsizelist: of two lines with one name the later counts") {
    const CourierSizelist list = CourierSizelist::parse("/1 9\na 1 1\nb 1 2\na:2,S 1 3\n");
    CHECK(courier_unique_id(*list.find("a")) == "UID3");
}

TEST_CASE("property: lists of any octets are read to their end") {
    static constexpr std::string_view parts[] = {"3 V1 N2", "1 1 1", "/3 1 1", "\n", " ",
                                                 ":",       "7",     "P",      "O5", "/",
                                                 "12:3:0",  "\xff",  "a.b",    "-"};
    std::mt19937 random(5);
    for (int round = 0; round < 5000; ++round) {
        std::string text;
        for (int part = 0; part < 25; ++part) text += parts[random() % std::size(parts)];
        const DovecotUidlist dovecot = DovecotUidlist::parse(text);
        for (const UidlistEntry& entry : dovecot.entries())
            REQUIRE(dovecot.find(entry.base) == &entry);
        const CourierSizelist courier = CourierSizelist::parse(text);
        for (const SizelistEntry& entry : courier.entries())
            REQUIRE(courier.find(entry.base) != nullptr);
    }
}

}  // namespace
}  // namespace restante
