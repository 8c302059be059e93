// Open indexes that a reactor keeps (maildir/index_cache.h).
#include "maildir/index_cache.h"

#include <doctest/doctest.h>

#include <string>

namespace restante {
namespace {

/// Of `messages` with long names: some 300 octets each.
CachedIndex index_of(std::uint32_t messages) {
    IndexBuilder builder;
    for (std::uint32_t at = 0; at < messages; ++at) {
        const std::string name = std::to_string(at) + '.' + std::string(240, 'x');
        builder.add({name, name.substr(0, 60), Folder::current, UniqueIdKind::derived, at}, {});
    }
    return {.index = builder.build({}), .file = std::nullopt};
}

constexpr std::size_t octets_max = 8 * 1024 * 1024;

std::string path_of(std::size_t number) { return "/var/vmail/" + std::to_string(number); }

}  // namespace

TEST_CASE("the cache of indexes keeps those used last, within its bound") {
    const CachedIndex megabyte = index_of(3'500);
    const std::size_t octets = megabyte.index->encoded().size();
    const std::size_t fitting = octets_max / octets;
    IndexCache cache(octets_max);
    for (std::size_t number = 0; number < fitting; ++number) {
        cache.put(path_of(number), megabyte);
        CHECK(cache.find(path_of(0)).index != nullptr);  // always used again
    }
    cache.put(path_of(fitting), megabyte);
    cache.put(path_of(fitting + 1), megabyte);
    CHECK(cache.find(path_of(0)).index != nullptr);
    CHECK(cache.find(path_of(1)).index == nullptr);
    CHECK(cache.find(path_of(fitting)).index != nullptr);
    CHECK(cache.find(path_of(fitting + 1)).index != nullptr);
    std::size_t kept = 0;
    for (std::size_t number = 0; number < fitting + 2; ++number) {
        if (cache.find(path_of(number)).index != nullptr) kept += octets;
    }
    CHECK(kept <= octets_max);
    CHECK(kept > octets_max - 3 * octets);
}

TEST_CASE("an index that is put again takes the place of the former") {
    IndexCache cache(octets_max);
    const CachedIndex first = index_of(1);
    const CachedIndex second = index_of(2);
    for (int i = 0; i < 20'000; ++i) cache.put("/var/vmail/a", first);  // 16 MB, were each kept
    cache.put("/var/vmail/b", first);
    cache.put("/var/vmail/a", second);
    CHECK(cache.find("/var/vmail/a").index == second.index);
    CHECK(cache.find("/var/vmail/b").index == first.index);
}

TEST_CASE("an index larger than the whole cache is not kept, and drives nothing out") {
    IndexCache cache(octets_max);
    cache.put("/var/vmail/a", index_of(1));
    const CachedIndex huge = index_of(35'000);
    REQUIRE(huge.index->encoded().size() > octets_max);
    cache.put("/var/vmail/b", huge);
    CHECK(cache.find("/var/vmail/b").index == nullptr);
    CHECK(cache.find("/var/vmail/a").index != nullptr);
}

TEST_CASE("room for a large index is made by and by") {
    IndexCache cache(octets_max);
    const CachedIndex small = index_of(1);
    const std::size_t fitting = octets_max / (small.index->encoded().size() + 512);
    REQUIRE(fitting > 3 * IndexCache::driven_out_max);
    for (std::size_t number = 0; number < fitting; ++number) cache.put(path_of(number), small);
    const CachedIndex large = index_of(25'000);
    REQUIRE(large.index->encoded().size() < octets_max);
    cache.put("/var/vmail/large", large);
    CHECK(cache.find("/var/vmail/large").index == nullptr);
    CHECK(cache.find(path_of(IndexCache::driven_out_max - 1)).index == nullptr);
    CHECK(cache.find(path_of(IndexCache::driven_out_max)).index != nullptr);
    for (std::size_t number = 0; number < fitting; number += IndexCache::driven_out_max)
        cache.put("/var/vmail/large", large);
    CHECK(cache.find("/var/vmail/large").index == large.index);
}

TEST_CASE("a cache of no octets keeps nothing") {
    IndexCache cache(0);
    cache.put("/var/vmail/a", index_of(1));
    CHECK(cache.find("/var/vmail/a").index == nullptr);
}

}  // namespace restante
