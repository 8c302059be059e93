#include "auth/leaky_table.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <span>

#include "base/assert.h"

namespace restante {
namespace {

/// A word: the key's tag above, the instant at which the bucket is empty below, in milliseconds of
/// the ring's clock (34 years of them). 0: nobody's.
constexpr unsigned time_bits = 40;
constexpr std::uint64_t time_mask = (std::uint64_t{1} << time_bits) - 1;
constexpr std::uint64_t sets = LeakyTable::buckets / LeakyTable::ways;
static_assert((sets & (sets - 1)) == 0);
static_assert(sets <= std::uint64_t{1} << time_bits, "tag and place are of different bits");

std::uint64_t milliseconds(Instant when) {
    const auto since =
        std::chrono::duration_cast<std::chrono::milliseconds>(when.time_since_epoch());
    return static_cast<std::uint64_t>(since.count()) & time_mask;
}

/// Never 0, so that no bucket looks like nobody's.
std::uint64_t tag_of(std::uint64_t key) { return (key >> time_bits | 1) << time_bits; }

std::uint64_t read(std::uint64_t& word) {
    return std::atomic_ref(word).load(std::memory_order_relaxed);
}

bool replace(std::uint64_t& word, std::uint64_t& seen, std::uint64_t fresh) {
    return std::atomic_ref(word).compare_exchange_weak(seen, fresh, std::memory_order_relaxed);
}

struct Bucket {
    std::uint64_t* word;
    std::uint64_t seen;
    bool is_own;
};

/// The key's own bucket, or the one to give way.
Bucket find(std::span<std::uint64_t> places, std::uint64_t tag) {
    Bucket first{&places[0], read(places[0]), false};
    for (std::uint64_t& word : places) {
        const std::uint64_t seen = read(word);
        if ((seen & ~time_mask) == tag) return {&word, seen, true};
        if ((seen & time_mask) < (first.seen & time_mask)) first = {&word, seen, false};
    }
    return first;
}

}  // namespace

LeakyTable::LeakyTable(const Shape& shape)
    : leak_ms_(static_cast<std::uint64_t>(
          std::chrono::duration_cast<std::chrono::milliseconds>(shape.leak).count())),
      most_(shape.most),
      inherits_(shape.inherits),
      words_(static_cast<std::uint64_t*>(std::calloc(buckets, sizeof(std::uint64_t)))) {
    ASSERT(leak_ms_ > 0);
    ASSERT(words_ != nullptr);
}

std::uint64_t* LeakyTable::places_of(std::uint64_t key) const { return &words_[key % sets * ways]; }

std::uint32_t LeakyTable::drops(std::uint64_t empty_at, std::uint64_t now) const {
    if (empty_at <= now) return 0;
    return static_cast<std::uint32_t>((empty_at - now + leak_ms_ - 1) / leak_ms_);
}

std::uint32_t LeakyTable::level(std::uint64_t key, Instant now) const {
    const Bucket bucket = find({places_of(key), ways}, tag_of(key));
    return bucket.is_own ? drops(bucket.seen & time_mask, milliseconds(now)) : 0;
}

std::uint32_t LeakyTable::add(std::uint64_t key, Instant when) {
    const std::uint64_t now = milliseconds(when);
    const std::uint64_t tag = tag_of(key);
    for (;;) {
        Bucket bucket = find({places_of(key), ways}, tag);
        std::uint64_t empty_at = now;
        if (bucket.is_own || inherits_) empty_at = std::max(now, bucket.seen & time_mask);
        const std::uint64_t full_at = now + std::uint64_t{most_} * leak_ms_;
        const std::uint64_t added = std::min(empty_at + leak_ms_, full_at);
        if (replace(*bucket.word, bucket.seen, tag | (added & time_mask))) {
            return drops(empty_at, now);
        }
    }
}

void LeakyTable::take_back(std::uint64_t key, Instant now) {
    for (;;) {
        Bucket bucket = find({places_of(key), ways}, tag_of(key));
        const std::uint64_t empty_at = bucket.seen & time_mask;
        if (!bucket.is_own || empty_at <= milliseconds(now)) return;
        const std::uint64_t less = empty_at - std::min(empty_at, leak_ms_);
        if (replace(*bucket.word, bucket.seen, tag_of(key) | less)) return;
    }
}

}  // namespace restante
