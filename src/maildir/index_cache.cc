#include "maildir/index_cache.h"

namespace restante {
namespace {

/// An entry with its path and its places in list and table.
constexpr std::size_t entry_octets = 512;
/// With an empty index; there are never more entries than fit of these, and so the table never
/// grows: to move a million of them would take a tenth of a second.
constexpr std::size_t entry_octets_min = entry_octets + 256;

std::size_t octets_of(const CachedIndex& cached) {
    return cached.index->encoded().size() + entry_octets;
}

}  // namespace

IndexCache::IndexCache(std::size_t octets_max) : octets_max_(octets_max) {
    by_path_.reserve(octets_max / entry_octets_min);
}

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
    for (int i = 0; i < driven_out_max && octets_ + octets > octets_max_; ++i)
        erase(std::prev(entries_.end()));
    if (octets_ + octets > octets_max_) return;
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
