#include "maildir/index_cache.h"

namespace restante {
namespace {

/// An entry with its path and its places in list and table.
constexpr std::size_t entry_octets = 512;

std::size_t octets_of(const CachedIndex& cached) {
    return cached.index->encoded().size() + entry_octets;
}

}  // namespace

CachedIndex IndexCache::find(std::string_view path) {
    const auto found = by_path_.find(path);
    if (found == by_path_.end()) return {};
    entries_.splice(entries_.begin(), entries_, found->second);
    return found->second->cached;
}

void IndexCache::put(std::string_view path, CachedIndex cached) {
    if (const auto found = by_path_.find(path); found != by_path_.end()) erase(found->second);
    const std::size_t octets = octets_of(cached);
    if (octets > octets_max_) return;
    while (octets_ + octets > octets_max_) erase(std::prev(entries_.end()));
    entries_.push_front({std::string(path), std::move(cached)});
    by_path_.emplace(entries_.front().path, entries_.begin());
    octets_ += octets;
}

void IndexCache::erase(std::list<Entry>::iterator entry) {
    octets_ -= octets_of(entry->cached);
    by_path_.erase(entry->path);
    entries_.erase(entry);
}

}  // namespace restante
