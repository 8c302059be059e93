#pragma once
/// Logins that were verified a short while ago, so that the next one costs a microsecond instead of
/// a hash (SHA512-CRYPT: 2 ms, ARGON2ID: 100 ms).
///
/// What is kept of a login is a tag: BLAKE2b of user, password and stored hash, keyed with 256
/// random bits that are made with the cache. Without the key no tag can be computed, so the table
/// alone tells nothing and no two logins can be made to share a tag. With the key too, passwords
/// can be tried at BLAKE2b's speed: the pages are therefore locked in memory, left out of core
/// dumps and of children, and wiped at the end.
///
/// Only successes are kept. That the right password is answered sooner the second time tells a
/// client nothing it did not just prove; whatever is not right takes as long as without a cache.

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "auth/secret_memory.h"
#include "base/clock.h"

namespace restante {

/// Logins remembered at a time; 32 octets each. 4 MiB in all: half of what systemd and Linux let a
/// process lock by default (8 MiB).
inline constexpr std::size_t verification_cache_entries = std::size_t{1} << 17;
inline constexpr std::size_t verification_cache_entry_octets = 32;
/// Entries that one login may be in; a new one takes the place of the one that expires first.
inline constexpr std::size_t verification_cache_ways = 4;

/// One for all reactors, any thread. The kernel deals a user's connections out to all of them: with
/// a cache each, a user would be hashed once a reactor, and many reactors would hardly ever hit.
/// Looking writes nothing, so it shares no cache line that moves; what is written follows a hash.
/// There is no lock: an entry that was read or written in halves fits no tag.
class VerificationCache {
public:
    struct Login {
        std::string_view user;  ///< canonical
        std::string_view password;
        std::string_view stored;  ///< the record's hash, as in the file: another one, another login
    };
    using Tag = TagKey::Tag;

    /// A login counts for `ttl` (> 0) from its verification, however often it is asked for. The
    /// error is a sentence for an operator.
    static std::expected<std::unique_ptr<VerificationCache>, std::string> make(Duration ttl);
    VerificationCache(const VerificationCache&) = delete;
    VerificationCache& operator=(const VerificationCache&) = delete;
    ~VerificationCache();

    Tag tag_of(const Login& login) const;
    bool holds(const Tag& tag, Instant now) const;
    /// It was verified once, if longer ago than `ttl`, and has not been replaced since. Not to be
    /// believed any more; but who comes with it is hardly guessing.
    bool held(const Tag& tag) const;
    /// `tag` was verified at `now`.
    void remember(const Tag& tag, Instant now);
    /// False: RLIMIT_MEMLOCK does not allow it; the pages may be swapped out.
    bool is_locked() const { return is_locked_; }

private:
    struct Entry;
    struct Memory;
    VerificationCache(Memory* memory, Duration ttl, bool is_locked)
        : memory_(memory), ttl_(ttl), is_locked_(is_locked) {}
    std::span<Entry, verification_cache_ways> entries_of(const Tag& tag) const;

    Memory* const memory_;  // a mapping
    const Duration ttl_;
    const bool is_locked_;
};

}  // namespace restante
