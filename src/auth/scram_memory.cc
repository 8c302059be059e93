#include "auth/scram_memory.h"

#include <algorithm>
#include <array>
#include <span>

#include "auth/secret_memory.h"
#include "base/assert.h"

namespace restante {
namespace {

constexpr std::size_t sets = scram_memory_entries / scram_memory_ways;
constexpr std::size_t key_octets_max = 32;  // SHA-256's

using Tag = TagKey::Tag;

struct Entry {
    Tag tag;  // all zero: empty
    std::array<char, key_octets_max> stored_key;
    std::array<char, key_octets_max> server_key;
};
static_assert(sizeof(Entry) == scram_memory_entry_octets);

}  // namespace

/// Those of a set lie in the order in which they were asked for, the last one first.
struct ScramMemory::Memory {
    TagKey key;
    std::array<std::array<Entry, scram_memory_ways>, sets> table;

    Tag tag_of(const Origin& origin) const;
    std::span<Entry, scram_memory_ways> entries_of(const Tag& tag) { return table[tag[0] % sets]; }
};

ScramMemory::ScramMemory() : memory_(static_cast<Memory*>(map_secret_pages(sizeof(Memory)))) {
    ASSERT(memory_ != nullptr);
    ASSERT(memory_->key.make() == 0);
}

void ScramMemory::Wipe::operator()(Memory* memory) const {
    unmap_secret_pages(memory, sizeof *memory);
}

Tag ScramMemory::Memory::tag_of(const Origin& origin) const {
    const std::size_t octets = digest_octets(origin.algorithm);
    const std::string_view algorithm(reinterpret_cast<const char*>(&octets), sizeof octets);
    return key.tag_of({origin.user, origin.stored, algorithm});
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
