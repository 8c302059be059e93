#include "auth/verification_cache.h"

#include <sodium.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>

#include "base/assert.h"

namespace restante {
namespace {

constexpr std::size_t sets = verification_cache_entries / verification_cache_ways;
static_assert((sets & (sets - 1)) == 0);

std::uint64_t read(std::uint64_t& word) {
    return std::atomic_ref(word).load(std::memory_order_relaxed);
}

void write(std::uint64_t& word, std::uint64_t value) {
    std::atomic_ref(word).store(value, std::memory_order_relaxed);
}

std::unexpected<std::string> cannot_make(int system_errno) {
    return std::unexpected(std::string("cannot make the cache of verified logins: ") +
                           strerrordesc_np(system_errno) +
                           " ([auth] cache_ttl = \"0s\" does without)");
}

}  // namespace

/// 192 bits of a tag; 15 more are where it is. All zero: empty.
struct VerificationCache::Entry {
    std::uint64_t first;  // ^ expires: so each fits the other only
    std::array<std::uint64_t, 2> rest;
    std::uint64_t expires;  // nanoseconds of the ring's clock

    bool is_of(const Tag& tag, std::uint64_t when) {
        return (read(first) ^ when) == tag[0] && read(rest[0]) == tag[1] && read(rest[1]) == tag[2];
    }
};

struct VerificationCache::Memory {
    TagKey key;
    alignas(64) std::array<std::array<Entry, verification_cache_ways>, sets> table;
};

std::expected<std::unique_ptr<VerificationCache>, std::string> VerificationCache::make(
    Duration ttl) {
    ASSERT(ttl > Duration::zero());
    if (sodium_init() < 0) return cannot_make(ENOSYS);
    void* mapped = map_secret_pages(sizeof(Memory));
    if (mapped == nullptr) return cannot_make(errno);
    const bool is_locked = ::mlock2(mapped, sizeof(Memory), MLOCK_ONFAULT) == 0;
    auto* memory = static_cast<Memory*>(mapped);
    std::unique_ptr<VerificationCache> cache(new VerificationCache(memory, ttl, is_locked));
    if (const int error = memory->key.make(); error != 0) return cannot_make(error);
    return cache;
}

VerificationCache::~VerificationCache() { unmap_secret_pages(memory_, sizeof(Memory)); }

VerificationCache::Tag VerificationCache::tag_of(const Login& login) const {
    return memory_->key.tag_of({login.user, login.password, login.stored});
}

std::span<VerificationCache::Entry, verification_cache_ways> VerificationCache::entries_of(
    const Tag& tag) const {
    return memory_->table[tag[3] % sets];
}

bool VerificationCache::holds(const Tag& tag, Instant now) const {
    const auto time = static_cast<std::uint64_t>(now.time_since_epoch().count());
    return std::ranges::any_of(entries_of(tag), [&tag, time](Entry& entry) {
        const std::uint64_t expires = read(entry.expires);
        return time < expires && entry.is_of(tag, expires);
    });
}

bool VerificationCache::held(const Tag& tag) const {
    return std::ranges::any_of(entries_of(tag), [&tag](Entry& entry) {
        const std::uint64_t expires = read(entry.expires);
        return expires != 0 && entry.is_of(tag, expires);
    });
}

void VerificationCache::remember(const Tag& tag, Instant now) {
    const auto expires = static_cast<std::uint64_t>((now + ttl_).time_since_epoch().count());
    const std::span<Entry, verification_cache_ways> entries = entries_of(tag);
    auto place = std::ranges::find_if(
        entries, [&tag](Entry& entry) { return entry.is_of(tag, read(entry.expires)); });
    if (place == entries.end()) {
        place =
            std::ranges::min_element(entries, {}, [](Entry& entry) { return read(entry.expires); });
    }
    write(place->first, tag[0] ^ expires);
    write(place->rest[0], tag[1]);
    write(place->rest[1], tag[2]);
    write(place->expires, expires);
}

}  // namespace restante
