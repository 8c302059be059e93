#include "maildir/kept_ids.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>

#include "unique_ids_world.h"

// Each opening of this world compares keep_ids() with UniqueIdAssignment.

namespace restante {
namespace {

using World = UniqueIdsWorld;

TEST_CASE("what came, went and changed its flags is told from the index of before") {
    World world;
    for (const std::uint64_t inode : {1, 2, 3, 4})
        world.deliver(std::to_string(10 * inode) + ".a", inode);
    CHECK(world.open() == Ids{"10.a", "20.a", "30.a", "40.a"});
    CHECK(world.kept == 0);
    world.files[0].name = "10.a:2,S";
    world.remove(2);
    world.deliver("25.b,S=7", 5);
    world.deliver("5.c", 2);  // has the inode of one that is gone
    world.deliver("60.d", 6);
    std::ranges::reverse(world.files);
    CHECK(world.open() == Ids{"5.c", "10.a", "25.b", "30.a", "40.a", "60.d"});
    CHECK(world.kept == 1);
    world.files.clear();
    CHECK(world.open().empty());
    CHECK(world.kept == 2);
}

TEST_CASE("where a name or an id was another's, the index of before does not tell all") {
    World world;
    world.deliver("10.a", 1);
    world.deliver("20.a,S=3", 2);
    world.open();
    SUBCASE("the name of one that is there") { world.deliver("10.a", 3, "other"); }
    SUBCASE("the name of one that is gone") {
        world.remove(1);
        world.deliver("10.a", 3, "other");
    }
    SUBCASE("the id of one that is there") { world.deliver("20.a,S=4", 3, "other"); }
    SUBCASE("two that came have one name") {
        world.deliver("30.a", 3, "one");
        world.deliver("30.a", 4, "other");
    }
    SUBCASE("two that came have one id") {
        world.deliver("30.a,S=3", 3, "one");
        world.deliver("30.a,S=5", 4, "other");
    }
    SUBCASE("one that is there twice") { world.deliver("10.a:2,S", 1); }
    world.open();
    CHECK(world.kept == 0);
}

TEST_CASE("ids by content and retired ids are for the long way") {
    World world;
    world.deliver("10.a", 1, "one");
    world.deliver("10.a", 2, "other");
    world.open();
    world.open();
    CHECK(world.kept == 0);
    world.remove(1);
    world.open();  // leaves a retired id, or the other's by content
    world.open();
    CHECK(world.kept == 0);
}

TEST_CASE("where most files are new the long way decides") {
    World world;
    world.deliver("10.a", 1);
    world.open();
    for (std::uint64_t inode = 2; inode <= 18; ++inode)
        world.deliver(std::to_string(10 * inode) + ".a", inode);
    world.open();
    CHECK(world.kept == 0);
    world.open();
    CHECK(world.kept == 1);
}

TEST_CASE("many names of one file cost no more than n log n") {
    World world;
    for (int i = 0; i < 50'000; ++i) world.deliver(std::to_string(i) + ".a", 1);
    world.open();
    world.files.pop_back();
    CHECK(world.open().size() == 49'999);
    CHECK(world.kept == 1);
}

}  // namespace
}  // namespace restante
