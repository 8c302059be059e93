#include "maildir/index_file.h"

#include <doctest/doctest.h>
#include <xxhash.h>

#include <cstring>
#include <string>
#include <vector>

#include "pop3/types.h"

namespace restante {
namespace {

FileIdentity identity(std::uint64_t seed) {
    return {true, seed, seed + 1, seed + 2, -static_cast<std::int64_t>(seed), 7};
}

IndexTrust some_trust() {
    return {{identity(1), true}, {identity(20), false}, identity(300), {}, 0xFEDCBA9876543210};
}

pop3::MessageMeasure measure_with_dots(std::uint64_t dots) {
    pop3::MessageMeasure measure;
    measure.stored_octets = 1000;
    measure.octets = pop3::Octets(1100);
    measure.header_octets = 77;
    measure.stuffed_dots = dots;
    for (std::size_t at = 0; at < std::min<std::uint64_t>(dots, pop3::stuffed_dots_recorded_max);
         ++at) {
        measure.stuffed_dot_at[at] = 3 * at;
    }
    return measure;
}

pop3::MessageMeasure wire_ready_measure() {
    pop3::MessageMeasure measure;
    measure.stored_octets = 5'000'000'000;
    measure.octets = pop3::Octets(5'000'000'000);
    measure.header_octets = 5'000'000'000;
    measure.wire_ready = true;
    return measure;
}

// One message of each sort.
std::shared_ptr<const MaildropIndex> sample() {
    IndexBuilder builder;
    builder.add({"1.a.host,S=5:2,S", "1.a.host", Folder::current, UniqueIdKind::derived, 11},
                wire_ready_measure());
    builder.add({"2.b.host", "0000001a435a6e80", Folder::fresh, UniqueIdKind::foreign, 12},
                measure_with_dots(2));
    builder.add({"2.b.host:2,T", "c0011", Folder::current, UniqueIdKind::content, 13},
                measure_with_dots(1000));
    builder.add({"odd \xe9 name", "c8687a08aa5d6ed2044328fa6a697ab8", Folder::fresh,
                 UniqueIdKind::derived, 14},
                {});
    builder.retire({"9.gone.host", 99});
    return builder.build(some_trust());
}

std::vector<char> octets_of(const MaildropIndex& index) {
    return {index.encoded().begin(), index.encoded().end()};
}

// Whatever reads an index, so that sanitizers see every access.
std::uint64_t read_all(const MaildropIndex& index) {
    std::uint64_t sum = index.octets().value() + index.trust().policy;
    for (std::uint32_t at = 0; at < index.count(); ++at) {
        const IndexedMessage message = index.message(at);
        const pop3::MessageMeasure measure = index.measure(at);
        for (const char c : std::string(message.name) + std::string(message.unique_id))
            sum += static_cast<unsigned char>(c);
        sum += message.base.size() + message.stored_octets + message.inode + measure.stuffed_dots;
        for (const std::uint64_t position : measure.stuffed_dot_at) sum += position;
        REQUIRE(pop3::is_unique_id(index.listed(at).unique_id));
        REQUIRE_FALSE(message.name.contains('/'));
    }
    for (std::uint32_t at = 0; at < index.retired_count(); ++at) {
        REQUIRE(pop3::is_unique_id(index.retired(at).unique_id));
        sum += index.retired(at).inode;
    }
    return sum;
}

TEST_CASE("messages that are taken over from another index are as they were") {
    const auto former = sample();
    IndexBuilder builder(former->count(), former->text_octets());
    for (std::uint32_t at = 0; at < former->count(); ++at) builder.add(*former, at);
    builder.retire(former->retired(0));
    CHECK(octets_of(*builder.build(some_trust())) == octets_of(*former));
    IndexBuilder renamed;
    renamed.add({"2.b.host:2,S", "2.b.host", Folder::current, UniqueIdKind::derived, 21}, *former,
                2);
    CHECK_FALSE(renamed.has_unmeasured());
    const auto index = renamed.build({});
    CHECK(index->measure(0) == measure_with_dots(1000));
    CHECK(index->message(0).name == "2.b.host:2,S");
    CHECK(index->message(0).unique_id == "2.b.host");
    CHECK(index->message(0).inode == 21);
    CHECK(index->message(0).modified == former->message(2).modified);
}

TEST_CASE("an index says what was put into it, also after a round trip through its octets") {
    const auto built = sample();
    for (const auto& index : {built, MaildropIndex::decode(octets_of(*built))}) {
        REQUIRE(index != nullptr);
        CHECK(index->count() == 4);
        CHECK(index->octets() == pop3::Octets(5'000'000'000 + 2 * 1100));
        const IndexedMessage first = index->message(0);
        CHECK(first.name == "1.a.host,S=5:2,S");
        CHECK(first.base == "1.a.host,S=5");
        CHECK(first.unique_id == "1.a.host");
        CHECK(first.folder == Folder::current);
        CHECK(first.id_kind == UniqueIdKind::derived);
        CHECK(first.is_wire_ready);
        CHECK(first.inode == 11);
        CHECK(index->measure(0) == wire_ready_measure());
        CHECK(index->message(1).unique_id == "0000001a435a6e80");
        CHECK(index->message(1).id_kind == UniqueIdKind::foreign);
        CHECK(index->message(1).folder == Folder::fresh);
        CHECK(index->measure(1) == measure_with_dots(2));
        CHECK(index->measure(2) == measure_with_dots(1000));
        CHECK(index->message(2).id_kind == UniqueIdKind::content);
        CHECK(index->message(3).name == "odd \xe9 name");
        CHECK(index->measure(3) == pop3::MessageMeasure());
        CHECK(index->listed(1).octets == pop3::Octets(1100));
        CHECK(index->listed(2).unique_id == "c0011");
        CHECK(index->trust() == some_trust());
        REQUIRE(index->retired_count() == 1);
        CHECK(index->retired(0) == RetiredId{"9.gone.host", 99});
    }
}

TEST_CASE("an empty maildrop has an index too") {
    const auto index = MaildropIndex::decode(octets_of(*IndexBuilder().build({})));
    REQUIRE(index != nullptr);
    CHECK(index->count() == 0);
    CHECK(index->octets() == pop3::Octets(0));
    CHECK(index->trust() == IndexTrust());
}

TEST_CASE("any octet changed, in any bit: no index") {
    const std::vector<char> good = octets_of(*sample());
    for (std::size_t at = 0; at < good.size(); ++at) {
        for (const int flip : {0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xFF, 0x55}) {
            std::vector<char> bad = good;
            bad[at] = static_cast<char>(bad[at] ^ flip);
            CAPTURE(at);
            REQUIRE(MaildropIndex::decode(std::move(bad)) == nullptr);
        }
    }
}

TEST_CASE("cut at any length, or longer than it was: no index") {
    const std::vector<char> good = octets_of(*sample());
    for (std::size_t octets = 0; octets < good.size(); ++octets) {
        REQUIRE(MaildropIndex::decode(
                    {good.begin(), good.begin() + static_cast<std::ptrdiff_t>(octets)}) == nullptr);
    }
    for (const char more : {'\0', 'x'}) {
        std::vector<char> longer = good;
        for (int i = 0; i < 64; ++i) {
            longer.push_back(more);
            REQUIRE(MaildropIndex::decode(longer) == nullptr);
        }
    }
    std::vector<char> twice = good;
    twice.insert(twice.end(), good.begin(), good.end());
    CHECK(MaildropIndex::decode(twice) == nullptr);
}

TEST_CASE("octets made with malice, under a right checksum, are refused or harmless") {
    static constexpr std::size_t checksum_at = 16;
    static constexpr std::size_t checksummed_from = 24;
    const std::vector<char> good = octets_of(*sample());
    const auto repaired = [](std::vector<char> file) {
        const std::uint64_t checksum =
            XXH3_64bits(file.data() + checksummed_from, file.size() - checksummed_from);
        std::memcpy(file.data() + checksum_at, &checksum, sizeof checksum);
        return file;
    };
    REQUIRE(MaildropIndex::decode(repaired(good)) != nullptr);
    const auto use = [](const MaildropIndex& index) {
        for (std::uint32_t at = 0; at < index.count(); ++at) {
            IndexBuilder builder;  // what the message names lies in this very message
            builder.add(index, at);
            REQUIRE(MaildropIndex::decode(octets_of(*builder.build({}))) != nullptr);
        }
        return read_all(index);
    };
    std::uint64_t sum = 0;
    for (std::size_t at = checksummed_from; at < good.size(); ++at) {
        for (int value = 0; value < 256; ++value) {
            std::vector<char> bad = good;
            bad[at] = static_cast<char>(value);
            if (const auto index = MaildropIndex::decode(repaired(std::move(bad))))
                sum += use(*index);
        }
    }
    for (std::size_t at = checksummed_from; at + 8 <= good.size(); at += 4) {
        for (const std::uint64_t value :
             {~std::uint64_t{0}, std::uint64_t{1} << 63, std::uint64_t{0xFFFFFFFF}}) {
            std::vector<char> bad = good;
            std::memcpy(bad.data() + at, &value, sizeof value);
            if (const auto index = MaildropIndex::decode(repaired(std::move(bad))))
                sum += use(*index);
        }
    }
    CHECK(sum != 0);
    std::vector<char> longer = good;
    longer.push_back('x');
    CHECK(MaildropIndex::decode(repaired(longer)) == nullptr);
    for (std::size_t octets = checksummed_from; octets < good.size(); ++octets) {
        std::vector<char> cut(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(octets));
        REQUIRE(MaildropIndex::decode(repaired(std::move(cut))) == nullptr);
    }
}

TEST_CASE("trust can be renewed without touching the messages") {
    const auto index = sample();
    IndexTrust trust = some_trust();
    trust.current.is_trusted = true;
    trust.policy = 5;
    const auto renewed = index->with_trust(trust);
    CHECK(renewed->trust() == trust);
    const auto decoded = MaildropIndex::decode(octets_of(*renewed));
    REQUIRE(decoded != nullptr);
    CHECK(decoded->trust() == trust);
    CHECK(decoded->count() == 4);
    CHECK(decoded->listed(3).unique_id == index->listed(3).unique_id);
    CHECK(index->trust() == some_trust());
}

TEST_CASE(
    "folders are compared by device, inode, mtime and ctime, files by size instead of ctime") {
    const FileIdentity one = identity(5);
    FileIdentity other = one;
    CHECK(same_folder(one, other));
    other.octets += 1;
    CHECK(same_folder(one, other));
    CHECK_FALSE(same_file(one, other));
    other = one;
    other.changed_nanoseconds += 1;
    CHECK_FALSE(same_folder(one, other));
    CHECK(same_file(one, other));
    for (std::uint64_t FileIdentity::*field : {&FileIdentity::device, &FileIdentity::inode}) {
        other = one;
        other.*field += 1;
        CHECK_FALSE(same_folder(one, other));
        CHECK_FALSE(same_file(one, other));
    }
    other = one;
    other.modified_nanoseconds += 1;
    CHECK_FALSE(same_folder(one, other));
    CHECK_FALSE(same_file(one, other));
    CHECK_FALSE(same_folder(one, {}));
    CHECK_FALSE(same_file({}, one));
    CHECK(same_folder({}, {}));
    CHECK(same_file({}, {}));
}

TEST_CASE("messages are found by base name and inode, and names that several have are known") {
    const IndexLookup lookup(sample());
    CHECK(lookup.find("1.a.host,S=5", 11) == 0);
    CHECK_FALSE(lookup.find("1.a.host,S=5", 12).has_value());
    CHECK_FALSE(lookup.find("1.a.host", 11).has_value());
    CHECK(lookup.find("2.b.host", 12) == 1);
    CHECK(lookup.find("2.b.host", 13) == 2);
    REQUIRE(lookup.name("2.b.host").has_value());
    CHECK(lookup.name("2.b.host")->is_shared);
    CHECK(lookup.name("2.b.host")->position == 1);
    CHECK_FALSE(lookup.name("1.a.host,S=5")->is_shared);
    CHECK_FALSE(lookup.name("nobody").has_value());
}

TEST_CASE("a message costs 48 octets and its name, and an id that does not begin it") {
    IndexBuilder builder;
    const auto empty = IndexBuilder().build({});
    std::size_t octets = empty->encoded().size();
    for (int at = 0; at < 1000; ++at) {
        const std::string id = std::to_string(1130000000 + at) + ".M123456P12345.mx1.example.org";
        const std::string name = id + ",S=12345,W=12400:2,S";
        const std::string foreign = "id" + std::to_string(at);
        const bool has_own = at % 2 == 0;
        builder.add({name, has_own ? id : foreign}, {});
        octets += 48 + name.size() + (has_own ? 0 : foreign.size());
    }
    CHECK(builder.build({})->encoded().size() == octets);
}

TEST_CASE(
    "a size beyond 48 bits is recorded as the greatest, which is that of a message not measured") {
    static constexpr std::uint64_t most = unmeasured;
    for (const std::uint64_t octets : {most, most + 1, std::uint64_t{INT64_MAX}}) {
        pop3::MessageMeasure measure;
        measure.stored_octets = octets;
        measure.octets = pop3::Octets(octets);
        measure.header_octets = octets;
        IndexBuilder builder;
        builder.add({"name:2,S", "id"}, measure);
        builder.add({"other", "other"}, {});
        const auto index = MaildropIndex::decode(octets_of(*builder.build({})));
        REQUIRE(index != nullptr);
        CHECK(index->octets() == pop3::Octets(most));
        CHECK(index->message(0).stored_octets == most);
        CHECK(index->message(0).unique_id == "id");
        CHECK(index->measure(0).header_octets == most);
        CHECK(index->message(1).unique_id == "other");
    }
}

}  // namespace
}  // namespace restante
