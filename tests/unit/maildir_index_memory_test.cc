// Memory that the indexes of maildrops have together (maildir/index_memory.h).
#include "maildir/index_memory.h"

#include <doctest/doctest.h>

#include <thread>
#include <utility>
#include <vector>

using namespace restante;

TEST_CASE("shares of the index memory come to no more than there is, and are given back") {
    IndexMemory memory(1000);
    IndexMemory::Share first(memory);
    CHECK(first.resize(600));
    {
        IndexMemory::Share second(memory);
        CHECK(!second.resize(401));
        CHECK(second.octets() == 0);
        CHECK(second.resize(400));
        CHECK(memory.taken() == 1000);
        CHECK(!first.resize(601));
        CHECK(first.octets() == 600);
    }
    CHECK(memory.taken() == 600);
    CHECK(first.resize(100));
    CHECK(memory.taken() == 100);
}

TEST_CASE("a share of the index memory that is moved is given back once") {
    IndexMemory memory(1000);
    {
        IndexMemory::Share first(memory);
        CHECK(first.resize(600));
        const IndexMemory::Share second(std::move(first));
        CHECK(memory.taken() == 600);
    }
    CHECK(memory.taken() == 0);
}

TEST_CASE("shares of the index memory are taken and given back by many threads") {
    IndexMemory memory(1000);
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&memory] {
            for (int round = 0; round < 10'000; ++round) {
                IndexMemory::Share share(memory);
                if (share.resize(400)) share.resize(500);
                if (memory.taken() > memory.octets_max()) std::abort();
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(memory.taken() == 0);
}
