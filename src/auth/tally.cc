#include "auth/tally.h"

namespace restante {

std::optional<Tally::Place> Tally::take(std::uint64_t key, std::uint32_t most) {
    if (most == 0) return Place();
    Shard& shard = shard_of(key);
    const std::lock_guard lock(shard.mutex);
    Entry& entry = shard.entries.try_emplace(key, Entry{&shard, key, 0}).first->second;
    if (entry.taken >= most) return std::nullopt;  // not a new one: `most` is not 0
    ++entry.taken;
    return Place(&entry);
}

void Tally::leave(Entry& entry) {
    Shard& shard = *entry.shard;
    const std::lock_guard lock(shard.mutex);
    if (--entry.taken == 0) shard.entries.erase(entry.key);
}

}  // namespace restante
