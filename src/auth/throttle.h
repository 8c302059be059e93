#pragma once
/// What is known of failed logins, by address and by user: how long the reply to a failure waits,
/// and whether an address has still tokens for hashing. One for all reactors, any thread, no lock.
///
/// An attack must not keep an owner out, not even one who shares the attackers' address:
///
/// - What grows is the wait for a *failure's* reply. A right password is answered as soon as it was
///   verified, whatever its address and its name have to answer for.
/// - What is scarce is hashing, and before it nobody knows who is right. A login that misses the
///   verification cache takes a token of its address first; the right password gives it back. A
///   login without a token is not refused: it is hashed when no other waits, and one time in four
///   also when some do, name by name (hash_queue.h). On an idle machine that is at once, so a token
///   is a better place in the queue, and nothing else.
/// - A password that was right some time ago (the cache no longer believes it, but has it still) is
///   hashed before all others and needs no token: a crowd delays it by the hashes under way, even
///   one that tries the same name from the same address.
/// - What nothing tells from the attack (an owner's first login since the start, without a token)
///   waits for one hash of each other name in the queue, and at most for HashQueue's wait_max; then
///   it is [SYS/TEMP]. Hashing has its own threads, one a core: logins that need no hash, and all
///   who are logged in, only share the processors with it.
///
/// Unknown names are counted like known ones: no delay and no order tells whether there is a user.
/// Success forgives nothing: an attacker with one account of his own gains nothing by logging in.

#include <array>
#include <cstdint>
#include <string_view>

#include "auth/leaky_table.h"
#include "auth/user_name.h"
#include "base/clock.h"
#include "ring/socket_address.h"

namespace restante {

/// Failures that double the delay once: one of a user, several of an address, which may be many
/// people's.
inline constexpr std::uint32_t address_failures_a_doubling = 4;
/// One failure is forgotten in this time, and what is not yet is bounded (`_kept_max`): after an
/// attack an address or a user is as new within 80 minutes.
inline constexpr Duration user_failure_memory = std::chrono::minutes(5);
inline constexpr std::uint32_t user_failures_kept_max = 16;
inline constexpr Duration address_failure_memory = std::chrono::seconds(15);
inline constexpr std::uint32_t address_failures_kept_max = 240;
/// Hashes an address may ask for at once, and how soon it may ask for one more.
inline constexpr std::uint32_t address_tokens = 20;
inline constexpr Duration address_token_interval = std::chrono::seconds(1);
/// Hashes beyond its tokens that are held against an address.
inline constexpr std::uint32_t address_tokens_owed_max = 40;

struct ThrottleSettings {
    Duration failed_delay;      ///< of a first failure's reply; 0: none is ever delayed
    Duration failed_delay_max;  ///< what it grows to; less than failed_delay: it does not grow
    UserNameRules names;        ///< names that mean one user share his failures
};

class Throttle {
public:
    /// A keyed hash: tables of them tell nothing, and nobody can aim at another's place.
    enum class AddressKey : std::uint64_t {};
    enum class UserKey : std::uint64_t {};

    explicit Throttle(ThrottleSettings settings);

    /// IPv4 (also mapped into IPv6): the address. IPv6: its /64, which one customer has whole.
    AddressKey key_of(const SocketAddress& address) const;
    /// `given` as the client wrote it; all that are no user name count as one.
    UserKey key_of(std::string_view given) const;

    /// Before a hash: true and one token less, or false: none was left.
    bool take_token(AddressKey address, Instant now);
    /// After it, where the password was right.
    void give_token_back(AddressKey address, Instant now);

    /// A login failed: how long after the password its reply is to be sent. `failed_before`: by the
    /// same connection.
    Duration note_failure(AddressKey address, UserKey user, std::uint32_t failed_before,
                          Instant now);

private:
    const ThrottleSettings settings_;
    std::array<unsigned char, 16> secret_;
    LeakyTable address_failures_;
    LeakyTable user_failures_;
    LeakyTable address_tokens_;
};

}  // namespace restante
