// Mapped files that other programs truncate: zeros and a note, not the end of the process.
#include "ring/mapping.h"

#include <doctest/doctest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "base/fd.h"

namespace restante {
namespace {

const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));

/// A file without a name.
class File {
public:
    explicit File(const std::string& content) {
        guard_mappings();
        char name[] = "/tmp/restante-mapping.XXXXXX";
        file_ = Fd(::mkstemp(name));
        ::unlink(name);
        REQUIRE(::pwrite(get(), content.data(), content.size(), 0) ==
                static_cast<ssize_t>(content.size()));
    }
    int get() const { return file_.get(); }
    void truncate(std::size_t octets) {
        REQUIRE(::ftruncate(get(), static_cast<off_t>(octets)) == 0);
    }

private:
    Fd file_;
};

/// Octet i is a letter that follows from i.
std::string letters(std::size_t octets) {
    std::string text(octets, '\0');
    for (std::size_t i = 0; i < octets; ++i) text[i] = static_cast<char>('a' + i * 7 % 26);
    return text;
}

std::string_view text_of(const Mapping& mapping) {
    return {mapping.octets().data(), mapping.octets().size()};
}

bool is_zeros(std::string_view octets) {
    return std::ranges::all_of(octets, [](char octet) { return octet == '\0'; });
}

}  // namespace

TEST_CASE("a mapping has the file's octets, from any offset and of any length") {
    const std::string content = letters(3 * page + 100);
    const File file(content);
    for (const std::size_t offset :
         {std::size_t{0}, std::size_t{1}, page - 1, page, page + 1, 2 * page + 7, 3 * page + 99}) {
        for (const std::size_t octets :
             {std::size_t{1}, std::size_t{2}, page, 2 * page + 50, content.size()}) {
            if (offset + octets > content.size()) continue;
            Mapping mapping;
            REQUIRE(mapping.map(file.get(), offset, octets) == 0);
            CHECK(text_of(mapping) == std::string_view(content).substr(offset, octets));
            CHECK(mapping.is_intact());
        }
    }
}

TEST_CASE("a mapping may be filled again, emptied, and filled by hand") {
    const std::string content = letters(2 * page);
    File file(content);
    Mapping mapping;
    CHECK(mapping.octets().empty());
    REQUIRE(mapping.map(file.get(), page, page) == 0);
    REQUIRE(mapping.map(file.get(), 0, 10) == 0);
    CHECK(text_of(mapping) == content.substr(0, 10));
    file.truncate(0);
    CHECK(mapping.octets()[3] == '\0');
    CHECK_FALSE(mapping.is_intact());
    mapping.reset();
    CHECK(mapping.octets().empty());
    CHECK(mapping.is_intact());
    mapping.hold({'a', 'b'});
    CHECK(text_of(mapping) == "ab");
    CHECK(mapping.map(-1, 0, 10) == -EBADF);
    CHECK(mapping.octets().empty());
}

TEST_CASE("what a truncated file does not reach any more reads as zeros, and is noted") {
    const std::string content = letters(8 * page);
    File file(content);
    Mapping mapping;
    REQUIRE(mapping.map(file.get(), 5, content.size() - 5) == 0);
    file.truncate(2 * page);
    const std::string_view octets = text_of(mapping);
    CHECK(octets.substr(0, 2 * page - 5) == content.substr(5, 2 * page - 5));
    CHECK(mapping.is_intact());  // nothing else was read so far
    CHECK(is_zeros(octets.substr(2 * page - 5)));
    CHECK_FALSE(mapping.is_intact());
}

TEST_CASE("a damaged mapping leaves another of its thread alone") {
    const std::string content = letters(4 * page);
    File damaged_file(content);
    const File whole_file(content);
    Mapping first;
    Mapping damaged;
    Mapping last;
    REQUIRE(first.map(whole_file.get(), 0, content.size()) == 0);
    REQUIRE(damaged.map(damaged_file.get(), page + 1, page) == 0);
    REQUIRE(last.map(whole_file.get(), 1, content.size() - 1) == 0);
    damaged_file.truncate(0);
    CHECK(is_zeros(text_of(damaged)));
    CHECK_FALSE(damaged.is_intact());
    CHECK(first.is_intact());
    CHECK(last.is_intact());
    first.reset();
    damaged.reset();
    CHECK(text_of(last) == std::string_view(content).substr(1));
    CHECK(last.is_intact());
}

TEST_CASE("each thread has mappings of its own") {
    const std::string content = letters(4 * page);
    const File whole_file(content);
    Mapping whole;
    REQUIRE(whole.map(whole_file.get(), 0, content.size()) == 0);
    bool is_mended = false;
    std::thread other([&] {
        File file(content);
        Mapping mapping;
        if (mapping.map(file.get(), 0, content.size()) != 0) return;
        file.truncate(page);
        is_mended = is_zeros(text_of(mapping).substr(page)) && !mapping.is_intact();
    });
    other.join();
    CHECK(is_mended);
    CHECK(whole.is_intact());
    CHECK(text_of(whole) == content);
}

TEST_CASE("a bus error outside of every mapping ends the process all the same") {
    File file(letters(2 * page));
    Mapping mapping;
    REQUIRE(mapping.map(file.get(), 0, page) == 0);
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        ::alarm(20);
        const void* mapped =
            ::mmap(nullptr, page, PROT_READ, MAP_PRIVATE, file.get(), static_cast<off_t>(page));
        if (::ftruncate(file.get(), 0) < 0) std::_Exit(2);
        const char octet = *static_cast<const volatile char*>(mapped);
        std::_Exit(octet == '\0' ? 0 : 1);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(WIFSIGNALED(status));
    CHECK(WTERMSIG(status) == SIGBUS);
}

}  // namespace restante
