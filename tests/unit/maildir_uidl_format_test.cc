#include "maildir/uidl_format.h"

#include <doctest/doctest.h>

#include <string>

namespace restante {
namespace {

constexpr std::string_view base = "1130000000.M1P2.host,S=5,W=6";

UidlFormat compiled(std::string_view format) {
    const auto result = UidlFormat::compile(format);
    const std::string trouble = result ? "" : result.error();
    CAPTURE(format);
    REQUIRE(trouble == "");
    return *result;
}

std::string expanded(std::string_view format) {
    return compiled(format).expand(
        {.uid = 26, .uidvalidity = 1130000000, .base = base, .guid = "0123abcd"});
}

std::string refusal(std::string_view format) {
    const auto result = UidlFormat::compile(format);
    return result ? "" : result.error();
}

TEST_CASE("Dovecot 2.3: every format of former servers, for uid 26 and uidvalidity 1130000000") {
    CHECK(expanded("%08Xu%08Xv") == "0000001a435a6e80");
    CHECK(expanded("%08Xv%08Xu") == "435a6e800000001a");
    CHECK(expanded("%v.%u") == "1130000000.26");
    CHECK(expanded("%u") == "26");
    CHECK(expanded("%v-%u") == "1130000000-26");
    CHECK(expanded("%f") == base);
    CHECK(expanded("%Mf") == "2e20682eb6ae5e9faa5911ab7b8eb2b6");
    CHECK(expanded("%g") == "0123abcd");
}

TEST_CASE("Dovecot 2.4: the same in its syntax") {
    CHECK(expanded("%{uid | hex(8)}%{uidvalidity | hex(8)}") == "0000001a435a6e80");
    CHECK(expanded("%{uidvalidity|hex(8)}%{ uid|hex( 8 ) }") == "435a6e800000001a");
    CHECK(expanded("%{uidvalidity}.%{uid}") == "1130000000.26");
    CHECK(expanded("%{filename}") == base);
    CHECK(expanded("%{filename | md5 | hex}") == expanded("%Mf"));
    CHECK(expanded("%{filename | md5 | hexlify}") == expanded("%Mf"));
    CHECK(expanded("%{guid}") == "0123abcd");
    CHECK(expanded("%{guid | upper}") == "0123ABCD");
}

TEST_CASE("without a guid in the list the base name is it") {
    CHECK(compiled("%g").expand({.uid = 1, .uidvalidity = 2, .base = base, .guid = {}}) == base);
}

TEST_CASE("Dovecot 2.3: a width with a leading 0 pads, one without cuts, an offset skips") {
    CHECK(expanded("%04u") == "0026");
    CHECK(expanded("%01v%u") == "113000000026");
    CHECK(expanded("%4v%u") == "113026");
    CHECK(expanded("%2.3v.%u") == "300.26");
    CHECK(expanded("%-4.0v.%u") == "0000.26");
    CHECK(expanded("%Xu") == "1a");
    CHECK(expanded("%XUu") == "1A");  // modifiers from left to right
    CHECK(expanded("%UXu") == "1a");
    CHECK(expanded("%Ru") == "62");
    CHECK(expanded("%08X{uid}") == "0000001a");
    CHECK(expanded("%%%u") == "%26");
    CHECK(expanded("UID%u-%v") == "UID26-1130000000");
}

TEST_CASE("Dovecot 2.4: hex(width) pads and keeps the last digits") {
    CHECK(expanded("%{uid | hex}") == "1a");
    CHECK(expanded("%{uid}%{uidvalidity | hex(4)}") == "266e80");
}

TEST_CASE("a format says what it must know") {
    CHECK(compiled("%u").needs_uid());
    CHECK_FALSE(compiled("%u").needs_uidvalidity());
    CHECK(compiled("%v.%f").needs_uidvalidity());
    CHECK_FALSE(compiled("%v.%f").needs_uid());
    CHECK_FALSE(compiled("%{filename | md5 | hex}").needs_uid());
    CHECK_FALSE(compiled("%g").needs_uid());
    CHECK(UidlFormat().text() == "%08Xu%08Xv");
    CHECK(UidlFormat().needs_uid());
}

TEST_CASE("what is not understood is refused with a sentence that names it") {
    CHECK(refusal("").contains("same unique-id"));
    CHECK(refusal("mail").contains("same unique-id"));
    CHECK(refusal("%v").contains("same unique-id"));
    CHECK(refusal("%u %v").contains("spaces"));
    CHECK(refusal("%").contains("at the end"));
    CHECK(refusal("%08X").contains("at the end"));
    CHECK(refusal("%m").contains("mbox"));
    CHECK(refusal("%08xu").contains("'X'"));
    CHECK(refusal("%q%u").contains("'%q'"));
    CHECK(refusal("%Hf").contains("'H'"));
    CHECK(refusal("%Xf").contains("not a number"));
    CHECK(refusal("%-8u").contains("offset"));
    CHECK(refusal("%071u").contains("70"));
    CHECK(refusal("%99999999999999999999999u").contains("70"));
    CHECK(refusal("%{uid").contains("'}'"));
    CHECK(refusal("%{user}").contains("'user'"));
    CHECK(refusal("%{uid | rot13}").contains("'rot13'"));
    CHECK(refusal("%{uid | hex(-8)}").contains("1 to 70"));
    CHECK(refusal("%{uid | hex(8}").contains("1 to 70") ==
          false);  // Dovecot's own parser is as lenient
    CHECK(refusal("%{uid | lower(3)}").contains("'lower(3)'"));
    CHECK(refusal("%{filename | hex(8)}").contains("not a number"));
    CHECK(refusal("%{filename | md5 | upper}").contains("hex"));
    CHECK(refusal("%{uid | }").contains("''"));
}

TEST_CASE("property: no format of any octets crashes, and one that compiles expands") {
    static constexpr std::string_view alphabet[] = {"%", "0", "8", "X", "u",   "v",  "f",
                                                    "g", "M", "{", "}", "uid", "|",  "hex",
                                                    "(", ")", ".", "-", " ",   "md5"};
    std::uint64_t state = 1;
    for (int round = 0; round < 20000; ++round) {
        std::string format;
        for (int part = 0; part < 6; ++part) {
            state = state * 6364136223846793005 + 1442695040888963407;
            format += alphabet[(state >> 33) % std::size(alphabet)];
        }
        const auto result = UidlFormat::compile(format);
        if (result) {
            CHECK_NOTHROW(result->expand({.uid = 26, .uidvalidity = 1, .base = base, .guid = {}}));
        } else {
            REQUIRE_FALSE(result.error().empty());
        }
    }
}

}  // namespace
}  // namespace restante
