#include "ledger.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace pop3load;

namespace {

std::vector<Listed> listing(std::initializer_list<Listed> messages) { return messages; }

std::optional<Fault> fault_of(Ledger& ledger, std::vector<Listed> messages) {
    const std::optional<Finding> finding = ledger.check(messages);
    if (!finding) return std::nullopt;
    return finding->fault;
}

}  // namespace

TEST_CASE("new mail may come, known mail may not go, change or lose its unique-id") {
    Ledger ledger;
    CHECK(!fault_of(ledger, listing({{1, 100}, {2, 200}})));
    CHECK(!fault_of(ledger, listing({{1, 100}, {2, 200}, {3, 300}})));
    CHECK(fault_of(ledger, listing({{1, 100}, {3, 300}})) == Fault::message_lost);
    CHECK(fault_of(ledger, listing({{1, 100}, {2, 201}, {3, 300}})) == Fault::wrong_octets);
    CHECK(fault_of(ledger, listing({{1, 100}, {9, 200}, {3, 300}})) == Fault::unique_id_changed);
    CHECK(fault_of(ledger, listing({{1, 100}, {1, 200}})) == Fault::unique_id_repeated);
}

TEST_CASE("acknowledged removals are final, unacknowledged ones are open") {
    Ledger ledger;
    CHECK(!fault_of(ledger, listing({{1, 100}, {2, 200}, {3, 300}})));
    ledger.removed(1);
    ledger.forget(2);
    CHECK(!fault_of(ledger, listing({{2, 200}, {3, 300}})));
    CHECK(fault_of(ledger, listing({{1, 100}, {3, 300}})) == Fault::message_resurrected);
}

TEST_CASE("a maildrop has no fewer messages than before, removals taken off") {
    Ledger ledger;
    CHECK(!ledger.check_count(3));
    CHECK(!ledger.check_count(5));  // mail came
    ledger.removed(1);
    ledger.forget(2);
    CHECK(!ledger.check_count(3));
    const std::optional<Finding> all_gone = ledger.check_count(0);
    REQUIRE(all_gone.has_value());
    CHECK(all_gone->fault == Fault::message_lost);
    CHECK(all_gone->what == "3 messages of 3 are gone that nobody deleted");
    CHECK(!Ledger().check_count(0));
}

TEST_CASE("deleted mail is gone and only that") {
    const std::vector<Listed> all = {{1, 100}, {2, 200}, {3, 300}};
    struct Case {
        std::vector<Listed> left;  // after DELE of the second
        std::optional<Fault> fault;
    };
    for (const Case& after :
         {Case{{{1, 100}, {3, 300}}, std::nullopt}, Case{{{1, 100}}, Fault::message_lost},
          Case{{}, Fault::message_lost}, Case{{{2, 200}, {3, 300}}, Fault::message_resurrected}}) {
        Ledger ledger;
        CHECK(!ledger.check_count(all.size()));
        CHECK(!fault_of(ledger, all));
        ledger.removed(2);
        std::optional<Finding> counted = ledger.check_count(after.left.size());
        const std::optional<Fault> listed = fault_of(ledger, after.left);
        CHECK(listed == after.fault);
        CHECK(counted.has_value() == (after.left.size() < 2));
    }
}

TEST_CASE("under one unique-id there is one message, also after new mail was listed") {
    Ledger ledger;
    CHECK(!fault_of(ledger, listing({{1, 100}, {2, 100}})));
    CHECK(!ledger.check_content(1, 0xaaaa));
    CHECK(!ledger.check_content(2, 0xbbbb));
    CHECK(!fault_of(ledger, listing({{3, 100}, {2, 100}, {1, 100}})));
    CHECK(!ledger.check_content(1, 0xaaaa));
    const std::optional<Finding> swapped = ledger.check_content(2, 0xaaaa);
    REQUIRE(swapped.has_value());
    CHECK(swapped->fault == Fault::wrong_content);
    CHECK(!ledger.check_content(9, 0xaaaa));  // not listed
}

TEST_CASE("what no session has seen is new") {
    Ledger ledger;
    std::vector<Listed> first = {{1, 100}};
    CHECK(!ledger.check(first));
    CHECK(first[0].is_new);
    std::vector<Listed> second = {{1, 100}, {2, 200}};
    CHECK(!ledger.check(second));
    CHECK(!second[0].is_new);
    CHECK(second[1].is_new);
}

TEST_CASE("listings are read, and must agree") {
    std::vector<Listed> messages;
    REQUIRE(read_list("1 120\r\n2 200\r\n", messages).has_value());
    REQUIRE(messages.size() == 2);
    CHECK(messages[1].octets == 200);
    REQUIRE(read_uidl("1 a\r\n2 b\r\n", messages).has_value());
    CHECK(messages[0].id_hash != messages[1].id_hash);
    CHECK(read_uidl("1 a\r\n", messages).error().fault == Fault::wrong_count);
    CHECK(read_uidl("1 a\r\n2 b\r\n3 c\r\n", messages).error().fault == Fault::wrong_count);
    for (const char* bad : {"2 a\r\n", "1\r\n", "1 \r\n", "x 1\r\n", "1 a\r\n1 b\r\n"}) {
        CAPTURE(bad);
        std::vector<Listed> none;
        CHECK(read_uidl(bad, none).error().fault == Fault::malformed_answer);
    }
    for (const std::string& bad :
         {std::string(71, 'a'), std::string("a b"), std::string("\x7f"), std::string("\xC3\xA9")}) {
        CAPTURE(bad);
        std::vector<Listed> none;
        CHECK(read_uidl("1 " + bad + "\r\n", none).error().fault == Fault::malformed_answer);
    }
    std::vector<Listed> longest;
    CHECK(read_uidl("1 " + std::string(69, '!') + "~\r\n", longest).has_value());
    std::vector<Listed> none;
    CHECK(read_list("1 many\r\n", none).error().fault == Fault::malformed_answer);
}

TEST_CASE("STAT is two numbers") {
    const std::optional<Stat> stat = read_stat("+OK 2 320 more");
    REQUIRE(stat.has_value());
    CHECK(stat->count == 2);
    CHECK(stat->octets == 320);
    for (const char* bad :
         {"+OK", "+OK 2", "+OK two 320", "+OK 2 many", "-ERR 2 320", "+OK 99999999999 1"}) {
        CAPTURE(bad);
        CHECK(!read_stat(bad));
    }
}
