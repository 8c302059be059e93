#include "auth/verification_cache.h"

#include <sodium.h>
#include <sys/mman.h>
#include <sys/random.h>

#include <algorithm>
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

void feed(crypto_generichash_state& state, std::string_view text) {
    crypto_generichash_update(&state, reinterpret_cast<const unsigned char*>(text.data()),
                              text.size());
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
    std::array<unsigned char, crypto_generichash_KEYBYTES> key;
    alignas(64) std::array<std::array<Entry, verification_cache_ways>, sets> table;
};

std::expected<std::unique_ptr<VerificationCache>, std::string> VerificationCache::make(
    Duration ttl) {
    static_assert(crypto_generichash_KEYBYTES == 32);
    static_assert(sizeof(Tag) == crypto_generichash_BYTES);
    ASSERT(ttl > Duration::zero());
    if (sodium_init() < 0) return cannot_make(ENOSYS);
    constexpr int access = PROT_READ | PROT_WRITE;
    void* mapped = ::mmap(nullptr, sizeof(Memory), access, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) return cannot_make(errno);
    // Without huge pages a server of few users holds a few pages. Of all three, failing costs
    // nothing but what it is for.
    for (const int advice : {MADV_DONTDUMP, MADV_WIPEONFORK, MADV_NOHUGEPAGE}) {
        ::madvise(mapped, sizeof(Memory), advice);
    }
    const bool is_locked = ::mlock2(mapped, sizeof(Memory), MLOCK_ONFAULT) == 0;
    auto* memory = static_cast<Memory*>(mapped);
    std::unique_ptr<VerificationCache> cache(new VerificationCache(memory, ttl, is_locked));
    if (::getrandom(memory->key.data(), memory->key.size(), 0) < 0) return cannot_make(errno);
    return cache;
}

VerificationCache::~VerificationCache() {
    explicit_bzero(memory_, sizeof(Memory));
    ::munmap(memory_, sizeof(Memory));
}

/// The lengths come first: "ab", "c" is not "a", "bc".
VerificationCache::Tag VerificationCache::tag_of(const Login& login) const {
    const std::array<std::uint64_t, 3> lengths = {login.user.size(), login.password.size(),
                                                  login.stored.size()};
    crypto_generichash_state state;
    crypto_generichash_init(&state, memory_->key.data(), memory_->key.size(), sizeof(Tag));
    feed(state, {reinterpret_cast<const char*>(lengths.data()), sizeof lengths});
    feed(state, login.user);
    feed(state, login.password);
    feed(state, login.stored);
    Tag tag;
    crypto_generichash_final(&state, reinterpret_cast<unsigned char*>(tag.data()), sizeof tag);
    explicit_bzero(&state, sizeof state);  // it holds the password
    return tag;
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
