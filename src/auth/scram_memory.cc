#include "auth/scram_memory.h"

#include <sodium.h>
#include <sys/mman.h>
#include <sys/random.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <span>

#include "base/assert.h"

namespace restante {
namespace {

constexpr std::size_t sets = scram_memory_entries / scram_memory_ways;
constexpr std::size_t key_octets_max = 32;  // SHA-256's

using Tag = std::array<unsigned char, crypto_generichash_BYTES>;

struct Entry {
    Tag tag;  // all zero: empty
    std::array<char, key_octets_max> stored_key;
    std::array<char, key_octets_max> server_key;
};
static_assert(sizeof(Entry) == scram_memory_entry_octets);

void feed(crypto_generichash_state& state, std::string_view text) {
    crypto_generichash_update(&state, reinterpret_cast<const unsigned char*>(text.data()),
                              text.size());
}

}  // namespace

/// Those of a set lie in the order in which they were asked for, the last one first.
struct ScramMemory::Memory {
    std::array<unsigned char, crypto_generichash_KEYBYTES> key;
    std::array<std::array<Entry, scram_memory_ways>, sets> table;

    Tag tag_of(const Origin& origin) const;
    std::span<Entry, scram_memory_ways> entries_of(const Tag& tag) {
        std::size_t number;
        std::memcpy(&number, tag.data(), sizeof number);
        return table[number % sets];
    }
};

ScramMemory::ScramMemory() {
    constexpr int access = PROT_READ | PROT_WRITE;
    void* mapped = ::mmap(nullptr, sizeof(Memory), access, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ASSERT(mapped != MAP_FAILED);
    for (const int advice : {MADV_DONTDUMP, MADV_WIPEONFORK, MADV_NOHUGEPAGE}) {
        ::madvise(mapped, sizeof(Memory), advice);
    }
    memory_.reset(static_cast<Memory*>(mapped));
    auto& key = memory_->key;
    // Cannot fail: waits for entropy at boot, and 32 octets are never cut short.
    ASSERT(::getrandom(key.data(), key.size(), 0) == static_cast<ssize_t>(key.size()));
}

void ScramMemory::Wipe::operator()(Memory* memory) const {
    explicit_bzero(memory, sizeof *memory);
    ::munmap(memory, sizeof *memory);
}

/// The lengths come first: "ab", "c" is not "a", "bc".
Tag ScramMemory::Memory::tag_of(const Origin& origin) const {
    const std::array<std::uint64_t, 3> numbers = {origin.user.size(), origin.stored.size(),
                                                  digest_octets(origin.algorithm)};
    crypto_generichash_state state;
    crypto_generichash_init(&state, key.data(), key.size(), sizeof(Tag));
    feed(state, {reinterpret_cast<const char*>(numbers.data()), sizeof numbers});
    feed(state, origin.user);
    feed(state, origin.stored);
    Tag tag;
    crypto_generichash_final(&state, tag.data(), tag.size());
    explicit_bzero(&state, sizeof state);  // it holds the secret
    return tag;
}

std::optional<ScramKeys> ScramMemory::find(const Origin& origin, const ScramSalt& salt) {
    const Tag tag = memory_->tag_of(origin);
    const std::span<Entry, scram_memory_ways> entries = memory_->entries_of(tag);
    const auto found = std::ranges::find(entries, tag, &Entry::tag);
    if (found == entries.end()) return std::nullopt;
    std::rotate(entries.begin(), found, found + 1);
    const std::size_t octets = digest_octets(origin.algorithm);
    const Entry& entry = entries.front();
    return ScramKeys{origin.algorithm, salt.iterations, salt.octets,
                     Secret(std::string_view(entry.stored_key.data(), octets)),
                     Secret(std::string_view(entry.server_key.data(), octets))};
}

void ScramMemory::keep(const Origin& origin, const ScramKeys& keys) {
    ASSERT(keys.stored_key.text().size() <= key_octets_max);
    ASSERT(keys.server_key.text().size() <= key_octets_max);
    const Tag tag = memory_->tag_of(origin);
    const std::span<Entry, scram_memory_ways> entries = memory_->entries_of(tag);
    auto place = std::ranges::find(entries, tag, &Entry::tag);
    if (place == entries.end()) --place;
    std::rotate(entries.begin(), place, place + 1);
    Entry& entry = entries.front();
    entry.tag = tag;
    std::ranges::copy(keys.stored_key.text(), entry.stored_key.begin());
    std::ranges::copy(keys.server_key.text(), entry.server_key.begin());
}

}  // namespace restante
