#include "maildir/maildir_name.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "maildir/content_digest.h"
#include "pop3/types.h"

namespace restante {
namespace {

std::string derived(std::string_view base) {
    std::string scratch;
    return std::string(derived_unique_id(base, scratch));
}

std::string by_filename(std::string_view base) {
    std::string scratch;
    return std::string(filename_unique_id(base, scratch));
}

std::vector<std::string> sorted(std::vector<std::string> names) {
    std::ranges::sort(names, {}, [](const std::string& name) { return ArrivalKey(name); });
    return names;
}

TEST_CASE("the base name is the name up to its first ':'") {
    CHECK(base_name("1130000000.M1P2.host,S=5:2,S") == "1130000000.M1P2.host,S=5");
    CHECK(base_name("1130000000.M1P2.host") == "1130000000.M1P2.host");
    CHECK(base_name("a:b:2,S") == "a");
    CHECK(base_name(":2,S").empty());
    CHECK(base_name("").empty());
}

TEST_CASE("names that begin with '.' are never messages, every other name is") {
    CHECK_FALSE(is_message_name("."));
    CHECK_FALSE(is_message_name(".."));
    CHECK_FALSE(is_message_name(".nfs0001"));
    CHECK_FALSE(is_message_name(""));
    CHECK(is_message_name("a b"));
    CHECK(is_message_name("1.2.3:2,"));
}

TEST_CASE("order: the time prefix is a number of any length, not a string") {
    const std::vector<std::string> ordered = {"9.a",
                                              "10.a",
                                              "999999999.z",
                                              "1000000000.a",
                                              "18446744073709551615.a",
                                              "18446744073709551616.a",
                                              "100000000000000000000000000000.a"};
    std::vector<std::string> shuffled = ordered;
    std::ranges::reverse(shuffled);
    CHECK(sorted(shuffled) == ordered);
}

TEST_CASE("order: within a second by microseconds, then by the octets of the base name") {
    const std::vector<std::string> ordered = {
        "7.123.host",    "7.M5P9.host",   "7.V801I99M20.host", "7.V801I1M100.host",
        "7.M100P1.host", "7.M100P2.host", "7.M1000P1.host"};
    std::vector<std::string> shuffled = ordered;
    std::ranges::reverse(shuffled);
    // M100 three times: by octets, "M100P1" < "M100P2" < "V801".
    CHECK(sorted(shuffled) == std::vector<std::string>{
                                  "7.123.host", "7.M5P9.host", "7.V801I99M20.host", "7.M100P1.host",
                                  "7.M100P2.host", "7.V801I1M100.host", "7.M1000P1.host"});
}

TEST_CASE("order: an 'M' elsewhere is no microseconds") {
    CHECK(ArrivalKey("7.hostM9") > ArrivalKey("7.hostM10"));  // octets: '1' < '9'
    CHECK(ArrivalKey("7.1.M9") > ArrivalKey("7.1.M10"));
    CHECK(ArrivalKey("7M9") > ArrivalKey("7M10"));
    CHECK(ArrivalKey("7.M9", ArrivalKey::Precision::seconds) >
          ArrivalKey("7.M10", ArrivalKey::Precision::seconds));
}

TEST_CASE("order: a name without a number counts as time 0; the order is total") {
    CHECK(sorted({"5.a", "b", "a", "0.z", ""}) ==
          std::vector<std::string>{"", "0.z", "a", "b", "5.a"});
    CHECK(ArrivalKey("007.a") < ArrivalKey("7.a"));  // the same time: octets
    CHECK(ArrivalKey("7.a") == ArrivalKey("7.a"));
}

TEST_CASE("property: sorting does not depend on the order in which names come") {
    std::mt19937 random(7);
    const char* const parts[] = {"",  "1",   "01",   "10", "M1",    "M10",
                                 ".", ".M2", ",S=1", "a",  "V1I2M3"};
    std::vector<std::string> names;
    for (int i = 0; i < 300; ++i) {
        std::string name;
        for (int part = 0; part < 4; ++part) name += parts[random() % std::size(parts)];
        names.push_back(name);
    }
    const std::vector<std::string> once = sorted(names);
    for (int round = 0; round < 20; ++round) {
        std::ranges::shuffle(names, random);
        REQUIRE(sorted(names) == once);
    }
}

TEST_CASE("sizes are no part of a unique-id: ,S= and ,W= go wherever they stand") {
    CHECK(derived("1.M2P3.host,S=120,W=130") == "1.M2P3.host");
    CHECK(derived("1.M2P3.host,W=130") == "1.M2P3.host");
    CHECK(derived("1.M2P3.host,S=120,X=1,W=7") == "1.M2P3.host,X=1");
    CHECK(derived("1.M2P3.host") == "1.M2P3.host");
}

TEST_CASE("a size is digits that end at ',' or at the end; anything else is part of the name") {
    CHECK(derived("1.a,S=") == "1.a,S=");
    CHECK(derived("1.a,S=x") == "1.a,S=x");
    CHECK(derived("1.a,S=12x") == "1.a,S=12x");
    CHECK(derived("1.a,s=12") == "1.a,s=12");
    CHECK(derived("1.a,S=1,S=2") == "1.a");
    CHECK(derived("1.a,") == "1.a,");
}

TEST_CASE("RFC 1939 §7: what is not 1 to 70 octets of 0x21..0x7E becomes a hash of fixed length") {
    const std::string longest(70, 'x');
    CHECK(derived(longest) == longest);
    CHECK(derived(longest + ",S=5") == longest);
    for (const std::string& odd : {longest + "x", std::string("a b"), std::string("a\x7f"),
                                   std::string("a\nb"), std::string("\xc3\xa9"), std::string()}) {
        CAPTURE(odd);
        CHECK(derived(odd).size() == 32);
        CHECK(pop3::is_unique_id(derived(odd)));
        CHECK(derived(odd + ",W=99") == derived(odd));
        CHECK(by_filename(odd) == derived(odd));
    }
    // SHA-256("a b"), first 16 octets.
    CHECK(derived("a b") == "c8687a08aa5d6ed2044328fa6a697ab8");
}

TEST_CASE("unique_id = \"filename\": the whole base name, sizes included") {
    CHECK(by_filename("1.M2P3.host,S=120,W=130") == "1.M2P3.host,S=120,W=130");
    CHECK(by_filename("a b,S=1") != by_filename("a b,S=2"));
}

TEST_CASE("a content hash does not depend on how the content was cut") {
    const std::string content = "Subject: x\n\nbody\n";
    ContentDigest whole;
    whole.feed(content);
    ContentDigest pieces;
    for (const char& octet : content) pieces.feed({&octet, 1});
    const ContentHash hash = whole.finish();
    CHECK(pieces.finish() == hash);
    CHECK(content_unique_id(hash, 0).size() == 33);
    CHECK(content_unique_id(hash, 2) == content_unique_id(hash, 0) + "-2");
    CHECK(pop3::is_unique_id(content_unique_id(hash, UINT32_MAX)));
}

}  // namespace
}  // namespace restante
