#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "unique_ids_world.h"

namespace restante {
namespace {

using Mode = UniqueIdPolicy::Mode;
using World = UniqueIdsWorld;

UidlFormat format(std::string_view text) { return UidlFormat::compile(text).value(); }

TEST_CASE("without lists the id is derived from the name, and messages come in order of arrival") {
    World world;
    world.deliver("1130000001.M5P1.host,S=1:2,S", 1);
    world.deliver("999999999.M7P1.host", 2);
    world.deliver("1130000001.M10P1.host,S=1,W=2", 3);
    CHECK(world.open() ==
          Ids{"999999999.M7P1.host", "1130000001.M5P1.host", "1130000001.M10P1.host"});
    CHECK(world.digests_read == 0);
    CHECK(world.kind_of("1130000001.M5P1.host") == UniqueIdKind::derived);
}

TEST_CASE("an empty maildrop has no ids") { CHECK(World().open().empty()); }

TEST_CASE("unique_id = \"filename\": the whole base name, whatever lists say") {
    World world;
    world.policy.mode = Mode::filename;
    world.uidlist = "3 V5 N9\n1 Pold :2.b,S=1\n";
    world.deliver("2.b,S=1:2,S", 1);
    world.deliver("1.a,S=1,W=2", 2);
    CHECK(world.open() == Ids{"1.a,S=1,W=2", "2.b,S=1"});
}

TEST_CASE("dovecot-uidlist: P first, else the format; O ascending, then uid, then arrival") {
    World world;
    world.uidlist =
        "3 V1130000000 N30\n"
        "20 :9.late\n"
        "26 :1.early:2,S\n"
        "27 Pstored O99 :5.m\n"
        "28 O98 :6.n\n"
        "29 P :7.o,S=5\n"
        "30 :8.gone\n";
    for (const char* name :
         {"1.early", "9.late:2,S", "5.m", "6.n", "7.o,S=5", "3.new,S=1", "2.new"}) {
        world.deliver(name, world.files.size() + 1);
    }
    CHECK(world.open() == Ids{"0000001c435a6e80", "stored", "00000014435a6e80", "0000001a435a6e80",
                              "7.o,S=5", "2.new", "3.new"});
    CHECK(world.kind_of("stored") == UniqueIdKind::foreign);
    CHECK(world.kind_of("2.new") == UniqueIdKind::derived);
    CHECK(world.digests_read == 0);
}

TEST_CASE("dovecot-uidlist: a format of names only is for files not listed too") {
    World world;
    world.policy.format = format("%f");
    world.uidlist = "3 V5 N9\n1 :2.b,S=1\n";
    world.deliver("2.b,S=1:2,S", 1);
    world.deliver("1.a,S=1,W=2", 2);
    CHECK(world.open() == Ids{"2.b,S=1", "1.a,S=1,W=2"});
    World without_list;
    without_list.policy.format = format("%f");
    without_list.deliver("1.a,S=1", 1);
    CHECK(without_list.open() == Ids{"1.a"});
    without_list.index = nullptr;
    without_list.policy.mode = Mode::dovecot;
    CHECK(without_list.open() == Ids{"1.a,S=1"});
}

TEST_CASE("dovecot-uidlist: an id that RFC 1939 does not allow is not used") {
    World world;
    world.policy.format = format("%f");
    world.uidlist =
        "3 V5 N9\n1 P" + std::string(71, 'x') + " :1.a\n2 :" + std::string(80, 'y') + "\n";
    world.deliver("1.a", 1);
    world.deliver(std::string(80, 'y') + ":2,", 2);
    const Ids ids = world.open();
    CHECK(ids[0] == "1.a");
    CHECK(ids[1].size() == 32);
}

TEST_CASE("dovecot-uidlist without a uidvalidity: P counts, formats that contain it do not") {
    World world;
    world.uidlist = "2 broken\n1 :1.a\n2 Pold :2.b\n";
    world.deliver("1.a", 1);
    world.deliver("2.b", 2);
    CHECK(world.open() == Ids{"1.a", "old"});
}

TEST_CASE("courierpop3dsizelist: its ids, and its order: time, then octets") {
    World world;
    world.sizelist = "/2 28 1130000000\n7.M9:2,S 120 26:1130000000\n7.M10 130 27:0\n8.c 5 0:0\n";
    for (const char* name : {"8.c", "7.M9", "7.M10:2,S", "6.new,S=5"}) {
        world.deliver(name, world.files.size() + 1);
    }
    CHECK(world.open() == Ids{"6.new", "UID27", "UID26-1130000000", "8.c"});
    world.index = nullptr;
    world.policy.mode = Mode::dovecot;
    CHECK(world.open() == Ids{"6.new", "7.M9", "7.M10", "8.c"});
}

TEST_CASE("with both lists Dovecot's counts, unless Courier's is asked for") {
    World world;
    world.uidlist = "3 V5 N9\n1 Pdovecot2 :2.b\n2 Pdovecot1 :1.a\n";
    world.sizelist = "/1 9\n1.a 120 7\n2.b 120 6\n";
    world.deliver("1.a", 1);
    world.deliver("2.b", 2);
    CHECK(world.open() == Ids{"dovecot2", "dovecot1"});
    world.index = nullptr;
    world.policy.mode = Mode::courier;
    CHECK(world.open() == Ids{"UID7", "UID6"});
}

TEST_CASE("a message keeps its id when lists appear, change or vanish; only the index remembers") {
    World world;
    world.deliver("1.a", 1);
    CHECK(world.open() == Ids{"1.a"});
    world.uidlist = "3 V5 N9\n1 :1.a\n2 :2.b\n";
    world.deliver("2.b", 2);
    CHECK(world.open() == Ids{"1.a", "0000000200000005"});
    world.uidlist.clear();
    CHECK(world.open() == Ids{"1.a", "0000000200000005"});
    world.index = nullptr;
    CHECK(world.open() == Ids{"1.a", "2.b"});
}

TEST_CASE("an index of another policy says nothing about ids") {
    World world;
    world.deliver("1.a,S=1", 1);
    CHECK(world.open() == Ids{"1.a"});
    world.policy.mode = Mode::filename;
    CHECK(world.open() == Ids{"1.a,S=1"});
    CHECK(UniqueIdPolicy{}.hash() != world.policy.hash());
    CHECK(UniqueIdPolicy{Mode::automatic, format("%u")}.hash() != UniqueIdPolicy{}.hash());
    CHECK(UniqueIdPolicy{Mode::filename, format("%u")}.hash() == world.policy.hash());
}

TEST_CASE("one base name and one inode is one message: that in cur/") {
    World world;
    world.deliver("1.a", 1).folder = Folder::fresh;
    world.deliver("1.a:2,S", 1).folder = Folder::current;
    world.deliver("1.a", 1).folder = Folder::fresh;
    CHECK(world.open() == Ids{"1.a"});
    CHECK(world.index->message(0).name == "1.a:2,S");
}

TEST_CASE("two names for one inode are two messages") {
    World world;
    world.deliver("1.a", 1);
    world.deliver("2.a", 1);
    CHECK(world.open() == Ids{"1.a", "2.a"});
}

// Contents whose hashes are known to be in this order.
const std::string first_content = "b", second_content = "a";

TEST_CASE(
    "two files with one name: the smaller hash has the name's id, the other one of its content") {
    ContentDigest digests[2];
    digests[0].feed(first_content);
    digests[1].feed(second_content);
    REQUIRE(digests[0].finish() < digests[1].finish());
    World world;
    world.deliver("1.a:2,S", 1, second_content);
    world.deliver("1.a,S=5", 2, first_content);  // the same id, although not the same name
    auto ids = world.ids();
    CHECK(world.digests_read == 2);
    CHECK(ids[2] == "1.a");
    CHECK(ids[1].starts_with("c"));
    CHECK(world.kind_of(ids[1]) == UniqueIdKind::content);
    world.index = nullptr;
    CHECK(world.ids() == ids);  // a function of what is on disk
    CHECK(world.ids() == ids);
    CHECK(world.digests_read == 0);  // remembered
}

TEST_CASE("a second file with a name that is taken never gets the first one's id") {
    World world;
    world.deliver("1.a", 1, second_content);
    CHECK(world.open() == Ids{"1.a"});
    world.deliver("1.a:2,S", 2, first_content);
    auto ids = world.ids();
    CHECK(ids[1] == "1.a");
    CHECK(ids[2].starts_with("c"));
    CHECK(world.digests_read == 1);
}

TEST_CASE("the id of a removed message is given to no other of its name") {
    World world;
    world.deliver("1.a", 1, first_content);
    world.deliver("1.a:2,S", 2, second_content);
    const auto before = world.ids();
    world.remove(1);
    auto after = world.ids();
    CHECK(after[2] == before.at(2));
    REQUIRE(world.index->retired_count() == 1);
    CHECK(world.index->retired(0) == RetiredId{"1.a", 1});
    world.deliver("1.a:2,T", 3, "c");
    after = world.ids();
    CHECK(after[2] == before.at(2));
    CHECK(after[3].starts_with("c"));
    CHECK(after[3] != after[2]);
    world.remove(2);
    world.remove(3);
    CHECK(world.ids().empty());
    world.deliver("1.a", 4, "d");
    CHECK(world.ids()[4].starts_with("c"));
    SUBCASE("unless it is that message itself, come back") {
        world.deliver("1.a", 1, first_content);
        CHECK(world.ids()[1] == "1.a");
        CHECK(world.index->retired_count() == 0);
    }
    SUBCASE("whatever the policy is now") {
        world.policy.format = format("%u");
        CHECK(world.ids()[4].starts_with("c"));
    }
}

TEST_CASE("removal and delivery of the same name between two openings") {
    World world;
    world.deliver("1.a", 1, first_content);
    world.deliver("1.a:2,S", 2, second_content);
    const auto before = world.ids();
    world.remove(1);
    world.deliver("1.a", 3, "c");
    const auto after = world.ids();
    CHECK(after.at(2) == before.at(2));
    CHECK(after.at(3) != "1.a");
}

TEST_CASE("a copied maildrop: inodes change, ids do not, not even among files of one name") {
    World world;
    world.deliver("1.a", 1, second_content);
    world.open();
    world.deliver("1.a:2,S", 2, first_content);
    world.deliver("2.b", 3);
    const auto before = world.ids();
    CHECK(before.at(1) == "1.a");
    for (MailFile& file : world.files) file.inode += 100;
    const auto after = world.ids();
    CHECK(after.at(101) == before.at(1));
    CHECK(after.at(102) == before.at(2));
    CHECK(after.at(103) == before.at(3));
    SUBCASE("and one of them was lost on the way") {
        world.remove(101);
        for (MailFile& file : world.files) file.inode += 100;
        CHECK(world.ids().at(202) == before.at(2));
        CHECK(world.index->retired_count() == 1);
    }
}

TEST_CASE(
    "a copied maildrop: of new files of one name the smaller hash has the id, in any listing") {
    for (const bool reversed : {false, true}) {
        World world;
        world.deliver("1.a", 1, first_content);
        world.open();
        world.remove(1);
        world.deliver("1.a", 5, first_content);
        world.deliver("1.a", 6, second_content);
        if (reversed) std::ranges::reverse(world.files);
        CHECK(world.ids()[5] == "1.a");
    }
}

TEST_CASE("a new policy does not exchange the ids of two files of one name") {
    World world;
    world.deliver("1.a", 1, second_content);
    world.open();
    world.deliver("1.a", 2, first_content);
    const auto before = world.ids();
    world.policy.format = format("%u");
    CHECK(world.ids() == before);
}

TEST_CASE("the first of two files of one name comes back when the second is gone") {
    World world;
    world.deliver("1.a", 1, first_content);
    world.deliver("1.a", 2, second_content);
    world.open();
    world.remove(1);
    world.open();
    world.remove(2);
    world.deliver("1.a", 1, first_content);
    CHECK(world.open() == Ids{"1.a"});
}

TEST_CASE("the same content several times under one name: ordinals") {
    World world;
    for (std::uint64_t inode = 1; inode <= 4; ++inode) world.deliver("1.a", inode, "same");
    auto ids = world.ids();
    CHECK(ids[1] == "1.a");
    CHECK(ids[3] == ids[2] + "-1");
    CHECK(ids[4] == ids[2] + "-2");
    world.remove(2);
    world.deliver("1.a", 5, "same");
    const auto after = world.ids();
    CHECK(after.at(3) == ids[3]);
    CHECK(after.at(4) == ids[4]);
    CHECK(after.at(1) == "1.a");
}

TEST_CASE("ids of lists that collide are told apart by content") {
    World world;
    world.uidlist = "3 V5 N9\n1 Psame :1.a\n2 Psame :2.b\n3 P4.d :3.c\n";
    world.deliver("1.a", 1, first_content);
    world.deliver("2.b", 2, second_content);
    world.deliver("3.c", 3, first_content);   // the list calls it 4.d ...
    world.deliver("4.d", 4, second_content);  // ... which is this one's own
    auto ids = world.ids();
    CHECK(ids[1] == "same");
    CHECK(ids[2].starts_with("c"));
    CHECK(ids[3] == "4.d");
    CHECK(ids[4] == ids[2] + "-1");
    CHECK(world.digests_read == 4);
}

TEST_CASE("a list cannot give a new message the id that another has") {
    World world;
    world.deliver("1.a", 1);
    world.open();
    world.uidlist = "3 V5 N9\n2 P1.a :2.b\n";
    world.deliver("2.b", 2);
    const auto ids = world.ids();
    CHECK(ids.at(1) == "1.a");
    CHECK(ids.at(2).starts_with("c"));
}

TEST_CASE("retired ids that nobody claims are bounded") {
    IndexBuilder builder;
    std::vector<std::string> ids;
    for (std::size_t at = 0; at < unclaimed_retired_ids_max + 10; ++at) {
        builder.retire({ids.emplace_back("gone." + std::to_string(at)), at + 1});
    }
    World world;
    world.index = builder.build({});
    world.deliver("gone.0", 7777);  // claims the oldest
    world.open();
    CHECK(world.index->retired_count() == unclaimed_retired_ids_max + 1);
    CHECK(world.index->retired(0).unique_id == "gone.0");
    CHECK(world.index->retired(1).unique_id == "gone.10");
}

// Names of many sorts, some files with one name.
World random_world(std::mt19937& random) {
    World world;
    const std::size_t count = random() % 30;
    world.uidlist = random() % 2 == 0 ? "3 V7 N999\n" : "";
    for (std::uint64_t inode = 1; inode <= count; ++inode) {
        std::string name =
            std::to_string(random() % 12) + ".M" + std::to_string(random() % 3) + ".h";
        if (random() % 9 == 0) name += " \xe9";
        if (random() % 9 == 0) name += std::string(80, 'l');
        if (random() % 3 == 0) name += ",S=" + std::to_string(random() % 3);
        if (!world.uidlist.empty() && random() % 2 == 0) {
            world.uidlist +=
                std::to_string(inode) + (random() % 4 == 0 ? " Pstored" : "") + " :" + name + "\n";
        }
        if (random() % 2 == 0) name += ":2,S";
        world.deliver(name, inode, std::string(1, static_cast<char>('a' + random() % 5)));
    }
    return world;
}

TEST_CASE("property: flags, folders, the order of listing and the loss of the index change no id") {
    std::mt19937 random(11);
    for (int round = 0; round < 500; ++round) {
        World world = random_world(random);
        const auto ids = world.ids();
        const Ids numbered = world.open();
        for (MailFile& file : world.files) {
            file.name = std::string(base_name(file.name)) + (random() % 2 == 0 ? "" : ":2,RS");
            file.folder = random() % 2 == 0 ? Folder::fresh : Folder::current;
        }
        std::ranges::shuffle(world.files, random);
        CAPTURE(round);
        REQUIRE(world.ids() == ids);
        REQUIRE(world.open() == numbered);
        world.index = nullptr;
        std::ranges::shuffle(world.files, random);
        REQUIRE(world.ids() == ids);
        REQUIRE(world.open() == numbered);
    }
}

TEST_CASE(
    "property: removing and delivering messages changes no other's id, and no id ever means two") {
    std::mt19937 random(12);
    std::size_t kept = 0;
    for (int round = 0; round < 200; ++round) {
        World world = random_world(random);
        std::map<std::string, std::uint64_t> owners;  // every id ever seen
        std::uint64_t next_inode = 1000;
        for (int step = 0; step < 12; ++step) {
            const auto before = world.ids();
            for (const auto& [inode, id] : before) {
                CAPTURE(round);
                CAPTURE(step);
                CAPTURE(id);
                const auto [owner, is_new] = owners.try_emplace(id, inode);
                if (!is_new) REQUIRE(owner->second == inode);
            }
            if (!world.files.empty() && random() % 2 == 0) {
                const MailFile gone = world.files[random() % world.files.size()];
                const bool has_twin =
                    std::ranges::count(world.files, base_name(gone.name), [](const MailFile& file) {
                        return base_name(file.name);
                    }) > 1;
                if (has_twin) world.remove(gone.inode);
            }
            // New names, and names that are in use.
            const std::string fresh_name = std::to_string(100 + next_inode) + ".new";
            const bool again = !world.files.empty() && random() % 2 == 0;
            world.deliver(again ? world.files[random() % world.files.size()].name : fresh_name,
                          next_inode, std::to_string(next_inode));
            ++next_inode;
            const auto after = world.ids();
            for (const MailFile& file : world.files) {
                if (before.contains(file.inode))
                    REQUIRE(after.at(file.inode) == before.at(file.inode));
            }
        }
        kept += world.kept;
    }
    CHECK(kept > 100);  // both ways were compared
}

TEST_CASE("many files with one name cost no more than n log n") {
    World world;
    for (std::uint64_t inode = 1; inode <= 20000; ++inode) world.deliver("1.a", inode, "same");
    const auto ids = world.ids();
    CHECK(ids.size() == 20000);
    for (MailFile& file : world.files) file.inode += 100000;
    CHECK(world.ids().size() == 20000);
}

}  // namespace
}  // namespace restante
