#pragma once
/// Verifying passwords that take long: on helpers, bounded in number, memory and waiting time, and
/// in an order that an attack cannot turn against the owners (throttle.h).

#include <cstdint>
#include <expected>
#include <string_view>

#include "auth/hash_memory.h"
#include "auth/hash_queue.h"
#include "auth/password_fault.h"
#include "auth/password_scheme.h"
#include "auth/throttle.h"
#include "auth/verifier.h"
#include "ring/ring.h"
#include "ring/task.h"

namespace restante {

/// Memory of all hashes under way, and how long one may wait for its turn, unless the configuration
/// says otherwise ([auth] hash_memory, hash_wait).
inline constexpr std::uint64_t hash_memory_kib_default = std::uint64_t{1024} * 1024;
inline constexpr Duration hash_wait_default = std::chrono::seconds(10);

/// Who wants something hashed. The views and the reference outlive it.
struct HashApplicant {
    std::string_view user;      ///< as the client gave it
    const LoginOrigin& origin;  ///< its deadline counts for the wait
    bool is_known;              ///< this password was right some time ago
    bool exists;                ///< else the hash is of nobody's, done for its time
};

/// One a reactor; `throttle` and `memory` are shared by all, and outlive it.
class Hashing {
public:
    Hashing(Ring& ring, Throttle& throttle, HashMemory& memory, HashQueue::Bounds bounds)
        : ring_(ring), throttle_(throttle), memory_(memory), queue_(ring, bounds) {}

    struct Verified {
        std::int64_t waited;  ///< 0, or as of run(): it was not hashed
        std::expected<bool, PasswordFault> matches;
    };
    /// Whether `secret` is the stored one. A match gives the address its token back.
    Task<Verified> verify(std::string_view secret, StoredPassword stored, HashApplicant applicant);
    /// 0 once `work` has run; -ETIMEDOUT, -EAGAIN: too many wait, it was not run. Takes a token of
    /// the address, unless the applicant is known.
    Task<std::int64_t> run(Work& work, HashApplicant applicant);
    /// After run(): the proof was right.
    void give_token_back(const HashApplicant& applicant);

    std::size_t waiting() const { return queue_.waiting(); }

private:
    Ring& ring_;
    Throttle& throttle_;
    HashMemory& memory_;
    HashQueue queue_;
};

}  // namespace restante
